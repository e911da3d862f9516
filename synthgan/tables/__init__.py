"""Tables: sources, schema, column statistics, codec, constraints, conditions and writers. No torch."""
