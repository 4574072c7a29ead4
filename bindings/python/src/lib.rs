//! The python binding: conversion only.
