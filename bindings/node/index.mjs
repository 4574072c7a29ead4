import mintreu from './index.js';

export const { Engine, Meter, Reservation, redeemCode, sync, trustProduct, verdict, verify } =
  mintreu;
export default mintreu;
