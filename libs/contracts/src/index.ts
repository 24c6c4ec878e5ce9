export { BATCH_LIMITS, batchOf, isBatched } from './batches.ts';
export type { Appointment, AppointmentStatus, Availability, AvailabilitySetting, Scope } from './appointments.ts';
export { alternatives, configRows, type Config, type ConfigName, type ConfigReader, type ConfigRow } from './config.ts';
export type { Conversation, LegalHold, SyncedConversation } from './conversations.ts';
export {
  AppError,
  ERROR_CODES,
  ErrorBody,
  invalidPayload,
  parseInput,
  type Ack,
  type AuthenticationReason,
  type ErrorCode,
  type ErrorDetail,
} from './errors.ts';
export { gatewayEvents, gatewayRequests, PROTOCOL } from './gateway.ts';
export { HEADERS } from './headers.ts';
export { carriesHealthData, healthDataFields } from './health-data.ts';
export { Actor, GatewayActor, ROLES, ServiceActor, type Role } from './identity.ts';
export { Id, isId, Timestamp } from './ids.ts';
export { BLANK_TEXT, isBlankText, MAX_CONTENT_CHARACTERS, type Message, type MessageSendInput } from './messaging.ts';
export type { Notification } from './notifications.ts';
export type { Channel, Preferences, PreferencesChange, QuietHours } from './preferences.ts';
export {
  BUS_USERS,
  inboxPrefix,
  PROCESSES,
  SERVICES,
  type BusUser,
  type ProcessName,
  type ServiceName,
} from './processes.ts';
export {
  MAX_PRESENCES,
  MAX_REPORTED,
  MAX_REVOCATIONS,
  type ChosenStatus,
  type Presence,
  type Status,
} from './presence.ts';
export type { Profile } from './profiles.ts';
export type { PublicPage } from './public-page.ts';
export { publicPages, type PageCallName } from './public-pages.ts';
export type { Relationship } from './relationships.ts';
export { busRights, type Rights } from './rights.ts';
export type { GatewayCallRow, ServiceRequestRow, UserRequestRow } from './rows.ts';
export { MAX_COUNTED_USERS } from './unread-counts.ts';
export { durableName, factConsumers, FACTS_STREAM, type FactConsumer } from './stream.ts';
export {
  ANY_ID,
  ANY_NAME,
  buildSubject,
  readSubject,
  toSocketEvent,
  type Recipient,
  type Subject,
} from './subjects.ts';
export {
  controls,
  deliveries,
  facts,
  followsPresenceState,
  gatewayCalls,
  isDroppable,
  isGatewayRequest,
  isUserRequest,
  serviceRequests,
  userRequests,
  type ControlData,
  type ControlName,
  type DeliveryName,
  type DeliveryPayload,
  type FactData,
  type FactName,
  type GatewayCallInput,
  type GatewayCallName,
  type GatewayCallOutput,
  type GatewayRequestInput,
  type GatewayRequestName,
  type GatewayRequestOutput,
  type ServiceInput,
  type ServiceOutput,
  type ServiceRequestName,
  type UserInput,
  type UserOutput,
  type UserRequestName,
} from './table.ts';
export { MAX_FORM_BYTES } from './unsubscribe.ts';
