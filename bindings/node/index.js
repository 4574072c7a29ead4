'use strict';

const native = require('./mintreu.node');
const { sync } = require('./sync.js');

const hostFingerprint = (product, components = {}) =>
  native.hostFingerprint(product, components, { ...process.env });

module.exports = {
  Engine: native.Engine,
  Fingerprint: native.Fingerprint,
  Meter: native.Meter,
  Reservation: native.Reservation,
  bill: native.bill,
  fingerprint: native.fingerprint,
  hostFingerprint,
  price: native.price,
  redeemCode: native.redeemCode,
  sync,
  trustProduct: native.trustProduct,
  verdict: native.verdict,
  verify: native.verify,
};
