// Package front reads what the proxies in front of a platform write: access logs of nginx and Envoy, the status page of nginx. They stand between
// a client and the platform, so they tell what the hop itself cost, how often it asked again behind the client's back, and what it answered when
// nobody behind it did.
//
// # Lines
//
// A line is read by a layout: the log_format of nginx, the format of Envoy, or JSON. Where none is given, those in common use are tried on
// each line, the one that fitted last first. Times that come as lists ("0.1, 0.2 : 0.3") are one attempt an element: a comma is another
// server that was asked, a colon a redirect within nginx, which is no retry.
//
// # Requests
//
// A line is a request as the hop saw it, without a schedule, due when it arrived: the stamp less the request time in nginx, whose stamps are those of the end,
// and the stamp in Envoy. The way from the client to the hop is not in it. A format without a time of the request, such as combined, gives requests
// that do not say how long they took. Where another input tells of requests, those of an access log would tell them twice and are left out;
// option requests=yes and requests=no decide otherwise.
//
// A client that went away (499, Envoy's DC) is no failure of the service: it is counted apart. It may still have gone because it waited too long.
// Probes and scrapes are no requests. What a hop's flags say explains an error; the status decides, since that is what the client got, but where a
// hop shed load on purpose (UO, RL, OM) and where an answer broke off after a good status (UC, UR, UPE, UMSDR, SI, DT).
//
// # The hop's own time
//
// In nginx it is the request time less that of all attempts: it holds the reading of the request and the sending of the answer at the client's pace.
// In Envoy it is the time to the first byte (RESPONSE_DURATION) less the upstream's service time; the format that Envoy has by default does not tell it.
//
// All times of a log are counters, one sample a second each, named nginx_log_… and envoy_log_…: internal/profile knows what they show. A line
// that names a trace is a span of the hop too, with one for the upstream below it, if its stamp is no coarser than a millisecond.
package front
