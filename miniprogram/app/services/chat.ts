/** Chat between the users of the mini program. */
import { ChannelError } from 'miniseal-client'
import { channel, newKey } from './channel'
import type { JsonObject } from './json'
import { integer, list, object, objectOf, optionalText, text } from './json'

export interface Profile {
  readonly user: string
  /** Empty until chosen. */
  readonly name: string
}

export interface Message {
  readonly id: string
  /** Increases over all conversations. */
  readonly position: number
  readonly from: string
  readonly text: string
  /** UNIX seconds. */
  readonly createdAt: number
}

export interface Contact {
  readonly user: string
  readonly name: string
  readonly lastMessage: Message | undefined
}

export async function fetchProfile(): Promise<Profile> {
  return parseProfile(objectOf(await channel.request({ method: 'GET', path: '/chat/profile' })))
}

/** @returns `undefined` when the name is taken */
export async function chooseName(name: string): Promise<Profile | undefined> {
  const answer = await channel.request({ method: 'PUT', path: '/chat/profile', body: { name } })
  return answer.status === 409 ? undefined : parseProfile(objectOf(answer))
}

/** Sorted by latest message. */
export async function fetchContacts(): Promise<readonly Contact[]> {
  const body = objectOf(await channel.request({ method: 'GET', path: '/chat/contacts' }))
  return list(body.contacts).map((contact) => ({
    user: text(contact.user),
    name: text(contact.name),
    lastMessage: contact.last_message === null ? undefined : parseMessage(object(contact.last_message)),
  }))
}

/** The newest 100 messages, oldest first. */
export async function fetchMessages(user: string): Promise<readonly Message[]> {
  const path = `/chat/messages?with=${encodeURIComponent(user)}`
  const body = objectOf(await channel.request({ method: 'GET', path, cache: 'none' }))
  return list(body.messages).map(parseMessage)
}

/**
 * @param key idempotency key: repeated requests send one message
 * @throws ChannelError also when the service rejects the message
 */
export async function sendMessage(to: string, content: string, key: string): Promise<Message> {
  const body = { to, text: content }
  const answer = await channel.request({ method: 'POST', path: '/chat/messages', body, idempotencyKey: key })
  return parseMessage(objectOf(answer, 201))
}

/** The key for a retry: a new one after a refusal, which settles the key; otherwise the same. */
export async function keyAfter(error: unknown, key: string): Promise<string> {
  return error instanceof ChannelError && error.outcome === 'refused' ? newKey() : key
}

/** @throws ChannelError `unexpected_answer`. */
export function parseMessage(body: JsonObject): Message {
  return {
    id: text(body.id),
    position: integer(body.position),
    from: text(body.from),
    text: text(body.text),
    createdAt: integer(body.created_at),
  }
}

function parseProfile(body: JsonObject): Profile {
  return { user: text(body.user), name: optionalText(body.name) }
}

/** The first letter of a name, for its avatar; for a user id, the first letter after the prefix. */
export function initialOf(name: string): string {
  const [first = ''] = Array.from(name.replace(/^u_/, ''))
  return first.toUpperCase()
}
