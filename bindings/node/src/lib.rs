//! The node binding: conversion only.
