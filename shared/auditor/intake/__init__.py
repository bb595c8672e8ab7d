"""From a record to what is remembered of it: one module per topic. What a single record proves wrong is found here, once."""
