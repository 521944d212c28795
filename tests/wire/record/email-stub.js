export class EmailMessage { constructor(from, to, raw) { Object.assign(this, { from, to, raw }); } }
