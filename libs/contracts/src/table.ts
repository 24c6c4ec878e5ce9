import type { z } from 'zod';
import {
  appointmentDeliveries,
  appointmentFacts,
  appointmentGatewayCalls,
  appointmentRequests,
  appointmentServiceRequests,
} from './appointments.ts';
import { conversationRequests, conversationServiceRequests } from './conversations.ts';
import { gatewayRequests } from './gateway.ts';
import { messagingDeliveries, messagingFacts, messagingRequests } from './messaging.ts';
import { receiptDeliveries, receiptFacts, receiptGatewayCalls, receiptRequests } from './receipts.ts';
import {
  notificationDeliveries,
  notificationFacts,
  notificationGatewayCalls,
  notificationRequests,
  notificationServiceRequests,
} from './notifications.ts';
import { preferenceRequests } from './preferences.ts';
import { profileFacts, profileServiceRequests } from './profiles.ts';
import {
  presenceControls,
  presenceDeliveries,
  presenceGatewayCalls,
  presenceRequests,
  presenceServiceRequests,
} from './presence.ts';
import {
  relationshipDeliveries,
  relationshipFacts,
  relationshipRequests,
  relationshipServiceRequests,
} from './relationships.ts';
import { unsubscribeCalls } from './unsubscribe.ts';
import type { ControlRow, DeliveryRow, FactRow, GatewayCallRow, ServiceRequestRow, UserRequestRow } from './rows.ts';

// The table: one row per event. The gateway's dispatch, the services' types, the NATS rights of each
// process, log redaction and the AsyncAPI document all follow from it. A new event is a new row here
// and a use case in the service that answers it.

/** Client → server. */
export const userRequests = {
  ...messagingRequests,
  ...receiptRequests,
  ...conversationRequests,
  ...relationshipRequests,
  ...presenceRequests,
  ...notificationRequests,
  ...preferenceRequests,
  ...appointmentRequests,
} as const satisfies Record<string, UserRequestRow>;

/** Service or back office → service. */
export const serviceRequests = {
  ...conversationServiceRequests,
  ...relationshipServiceRequests,
  ...presenceServiceRequests,
  ...notificationServiceRequests,
  ...profileServiceRequests,
  ...appointmentServiceRequests,
} as const satisfies Record<string, ServiceRequestRow>;

/** Gateway, of its own accord → service. */
export const gatewayCalls = {
  ...receiptGatewayCalls,
  ...presenceGatewayCalls,
  ...notificationGatewayCalls,
  ...appointmentGatewayCalls,
  ...unsubscribeCalls,
} as const satisfies Record<string, GatewayCallRow>;

/** Service → client, through a gateway. */
export const deliveries = {
  ...messagingDeliveries,
  ...receiptDeliveries,
  ...relationshipDeliveries,
  ...presenceDeliveries,
  ...notificationDeliveries,
  ...appointmentDeliveries,
} as const satisfies Record<string, DeliveryRow>;

/** Service → services, through the stream of facts. */
export const facts = {
  ...messagingFacts,
  ...receiptFacts,
  ...relationshipFacts,
  ...notificationFacts,
  ...profileFacts,
  ...appointmentFacts,
} as const satisfies Record<string, FactRow>;

/** Service → every gateway. */
export const controls = { ...presenceControls } as const satisfies Record<string, ControlRow>;

export type UserRequestName = keyof typeof userRequests;
export type UserInput<N extends UserRequestName> = z.output<(typeof userRequests)[N]['input']>;
export type UserOutput<N extends UserRequestName> = z.output<(typeof userRequests)[N]['output']>;

export type ServiceRequestName = keyof typeof serviceRequests;
export type ServiceInput<N extends ServiceRequestName> = z.output<(typeof serviceRequests)[N]['input']>;
export type ServiceOutput<N extends ServiceRequestName> = z.output<(typeof serviceRequests)[N]['output']>;

export type GatewayCallName = keyof typeof gatewayCalls;
export type GatewayCallInput<N extends GatewayCallName> = z.output<(typeof gatewayCalls)[N]['input']>;
export type GatewayCallOutput<N extends GatewayCallName> = z.output<(typeof gatewayCalls)[N]['output']>;

export type GatewayRequestName = keyof typeof gatewayRequests;
export type GatewayRequestInput<N extends GatewayRequestName> = z.output<(typeof gatewayRequests)[N]['input']>;
export type GatewayRequestOutput<N extends GatewayRequestName> = z.output<(typeof gatewayRequests)[N]['output']>;

export type DeliveryName = keyof typeof deliveries;
export type DeliveryPayload<N extends DeliveryName> = z.output<(typeof deliveries)[N]['payload']>;

export type FactName = keyof typeof facts;
export type FactData<N extends FactName> = z.output<(typeof facts)[N]['data']>;

export type ControlName = keyof typeof controls;
export type ControlData<N extends ControlName> = z.output<(typeof controls)[N]['data']>;

export function isUserRequest(event: string): event is UserRequestName {
  return Object.hasOwn(userRequests, event);
}

export function isGatewayRequest(event: string): event is GatewayRequestName {
  return Object.hasOwn(gatewayRequests, event);
}

/** Whether a delivery may be left out for a socket whose client does not keep up. One that is not known may not. */
export function isDroppable(event: string): boolean {
  return deliveryRow(event)?.droppable === true;
}

/** Whether a socket gets a delivery only after its `presence:state`. */
export function followsPresenceState(event: string): boolean {
  return deliveryRow(event)?.follows === 'presence:state';
}

function deliveryRow(event: string): DeliveryRow | undefined {
  return Object.hasOwn(deliveries, event) ? deliveries[event as DeliveryName] : undefined;
}
