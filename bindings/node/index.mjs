import mintreu from './index.js';

export const {
  Engine,
  Fingerprint,
  Gateway,
  Meter,
  RemoteGateway,
  Reservation,
  bill,
  express,
  fingerprint,
  hostFingerprint,
  price,
  redeemCode,
  retryAfter,
  sync,
  trustProduct,
  verdict,
  verify,
} = mintreu;
export default mintreu;
