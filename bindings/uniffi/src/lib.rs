//! The uniffi binding: conversion only.
