/** Conversations between the users of this mini program. */
import { ChannelError } from 'miniseal-client'
import { channel } from './channel'
import type { JsonObject } from './json'
import { integer, list, object, objectOf, optionalText, text } from './json'
import { newKey } from './keys'

export interface Profile {
  readonly user: string
  /** Empty until one is chosen. */
  readonly name: string
}

export interface Message {
  readonly id: string
  /** Rises over all conversations. */
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

/** @returns `undefined` when somebody else has the name. */
export async function chooseName(name: string): Promise<Profile | undefined> {
  const answer = await channel.request({ method: 'PUT', path: '/chat/profile', body: { name } })
  return answer.status === 409 ? undefined : parseProfile(objectOf(answer))
}

/** Latest conversation first. */
export async function fetchContacts(): Promise<readonly Contact[]> {
  const body = objectOf(await channel.request({ method: 'GET', path: '/chat/contacts' }))
  return list(body.contacts).map((contact) => ({
    user: text(contact.user),
    name: text(contact.name),
    lastMessage: contact.last_message === null ? undefined : parseMessage(object(contact.last_message)),
  }))
}

/** The newest 100, oldest first. */
export async function fetchMessages(user: string): Promise<readonly Message[]> {
  const path = `/chat/messages?with=${encodeURIComponent(user)}`
  const body = objectOf(await channel.request({ method: 'GET', path, cache: 'none' }))
  return list(body.messages).map(parseMessage)
}

/**
 * @param key the same key is the same message, however often it is sent
 * @throws ChannelError also when the service does not take it.
 */
export async function sendMessage(to: string, content: string, key: string): Promise<Message> {
  const body = { to, text: content }
  const answer = await channel.request({ method: 'POST', path: '/chat/messages', body, idempotencyKey: key })
  return parseMessage(objectOf(answer, 201))
}

/** The key of the next attempt: the same one, unless the service has refused the message and so settled the key. */
export async function keyAfter(failure: unknown, key: string): Promise<string> {
  return failure instanceof ChannelError && failure.outcome === 'refused' ? newKey() : key
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
