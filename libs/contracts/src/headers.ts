/** The names of the headers that travel on NATS messages. */
export const HEADERS = {
  /** On a delivery: the id of the socket to leave out. On a request: the id of the socket it came from. */
  except: 'Rapport-Except',
  socket: 'Rapport-Socket',
  /** On a delivery: what is counted, from which version to which, `<conversation id> 6 7`. Gateways keep that order. */
  order: 'Rapport-Order',
  errorCode: 'Nats-Service-Error',
  errorNumber: 'Nats-Service-Error-Code',
  traceParent: 'traceparent',
} as const;
