'use strict';

const native = require('./mintreu.node');
const { sync } = require('./sync.js');

module.exports = {
  Engine: native.Engine,
  Meter: native.Meter,
  Reservation: native.Reservation,
  redeemCode: native.redeemCode,
  sync,
  trustProduct: native.trustProduct,
  verdict: native.verdict,
  verify: native.verify,
};
