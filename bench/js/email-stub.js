// Stands in for a module that only the hosted platform has; the benchmarks send no mail.
export class EmailMessage {
  constructor(from, to, raw) {
    Object.assign(this, { from, to, raw });
  }
}
