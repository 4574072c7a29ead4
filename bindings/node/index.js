'use strict';

const native = require('./mintreu.node');
const { RemoteGateway, express } = require('./gateway.js');
const { retryAfter, sync } = require('./sync.js');

const hostFingerprint = (product, components = {}) =>
  native.hostFingerprint(product, components, { ...process.env });

module.exports = {
  Engine: native.Engine,
  Fingerprint: native.Fingerprint,
  Gateway: native.Gateway,
  Meter: native.Meter,
  RemoteGateway,
  Reservation: native.Reservation,
  bill: native.bill,
  express,
  fingerprint: native.fingerprint,
  hostFingerprint,
  price: native.price,
  redeemCode: native.redeemCode,
  retryAfter,
  sync,
  trustProduct: native.trustProduct,
  verdict: native.verdict,
  verify: native.verify,
};
