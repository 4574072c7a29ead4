import mintreu from './index.js';

export const {
  Engine,
  Fingerprint,
  Meter,
  Reservation,
  fingerprint,
  hostFingerprint,
  redeemCode,
  sync,
  trustProduct,
  verdict,
  verify,
} = mintreu;
export default mintreu;
