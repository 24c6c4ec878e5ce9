import type { z } from 'zod';
import type { Role } from './identity.ts';
import type { ProcessName, ServiceName } from './processes.ts';

/** A client → server event, which the gateway turns into a request to the service that answers it. */
export interface UserRequestRow {
  readonly summary: string;
  readonly input: z.ZodType;
  readonly output: z.ZodType;
  readonly roles: readonly Role[];
  readonly answeredBy: ServiceName;
  /** Requests of one socket reach the service one after the other, in the order the socket sent them. */
  readonly ordered: boolean;
  /** Requests that wait at the same time travel as one message, to `rpc.v1.user.<noun>.<verb>-batch`; only with `ordered`. */
  readonly batched?: true;
}

/** A request that a service or the platform's back office makes, of its own accord or on behalf of a user. */
export interface ServiceRequestRow {
  readonly summary: string;
  readonly input: z.ZodType;
  readonly output: z.ZodType;
  readonly answeredBy: ServiceName;
  /** The processes of ours that make it; the back office may make every one. */
  readonly askedBy: readonly ProcessName[];
}

/** A server → client event that a service publishes and a gateway passes on byte for byte. */
export interface DeliveryRow {
  readonly summary: string;
  readonly payload: z.ZodType;
  readonly publishedBy: ServiceName;
  readonly to: readonly ('user' | 'therapist' | 'all')[];
  /** Of passing interest: left out for a socket whose client does not keep up. */
  readonly droppable?: true;
  /** An event of the gateway that a socket gets first, once; this one waits for it. */
  readonly follows?: 'presence:state';
}

/** A request that a gateway makes of its own accord, not for a user. */
export interface GatewayCallRow {
  readonly summary: string;
  readonly input: z.ZodType;
  readonly output: z.ZodType;
  readonly answeredBy: ServiceName;
}

/** What a service tells every gateway. */
export interface ControlRow {
  readonly summary: string;
  readonly data: z.ZodType;
  readonly publishedBy: ServiceName;
}

/** A client → server event that the gateway answers itself. */
export interface GatewayRequestRow {
  readonly summary: string;
  readonly input: z.ZodType;
  readonly output: z.ZodType;
}

/** A server → client event of the gateway itself. */
export interface GatewayEventRow {
  readonly summary: string;
  readonly payload: z.ZodType;
}

/** Something that has been committed: ids, numbers and states, never content, names or addresses. */
export interface FactRow {
  readonly summary: string;
  readonly data: z.ZodType;
  readonly publishedBy: ServiceName;
  /** Each gets a durable consumer of its own. */
  readonly consumedBy: readonly ServiceName[];
}
