"""The published contract, made from the models: JSON Schemas, an AsyncAPI document, and pages for people."""
