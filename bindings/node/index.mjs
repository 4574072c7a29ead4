import mintreu from './index.js';

export const {
  Engine,
  Fingerprint,
  Meter,
  Reservation,
  bill,
  fingerprint,
  hostFingerprint,
  price,
  redeemCode,
  sync,
  trustProduct,
  verdict,
  verify,
} = mintreu;
export default mintreu;
