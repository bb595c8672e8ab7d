"""Billing: a unit is charged once, a doctor is paid for it, and no balance goes below zero."""
