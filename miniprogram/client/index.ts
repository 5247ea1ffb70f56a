/** The public surface of the mini program client. */
export type { Answer, Evidence } from './answer.ts'
export type { Channel, LogoutOptions } from './channel.ts'
export { createChannel } from './channel.ts'
export type { Compression } from './compression.ts'
export type { ChannelOptions, ClientPlatform } from './environment.ts'
export type { ChannelErrorCode, ErrorDetails, Locale, Outcome } from './errors.ts'
export { ChannelError, errorText } from './errors.ts'
export type { ChannelEvent, MissedEvents } from './event-stream.ts'
export type {
  EventHandle,
  EventListener,
  MissedListener,
  SocketState,
  SocketStateListener,
} from './event-subscription.ts'
export type { Cancellation, RequestOutcome } from './outcomes.ts'
export type { PhoneEvents } from './phone-events.ts'
export type { RequestOptions } from './prepared-request.ts'
export type { Priority } from './queue.ts'
export type { RandomSource } from './random.ts'
export type { Receipt, ReceiptEntry, ReceiptStep } from './receipt.ts'
export type { SessionInfo } from './session.ts'
export type { DeviceSummary, SessionSummary } from './session-list.ts'
export type { ChannelState, StateListener } from './session-manager.ts'
export type { ConfirmDialog, Soter, SoterResult } from './step-up.ts'
export { stepUpField } from './step-up.ts'
export type { KeyValueStorage } from './storage.ts'
export type { CloudHosting } from './transports/cloud.ts'
export { cloudTransport } from './transports/cloud.ts'
export type {
  Socket,
  SocketListener,
  Transport,
  TransportAnswer,
  TransportRequest,
} from './transports/transport.ts'
