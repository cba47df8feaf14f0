"""Room: the door. HTTP in, an ``Ask`` to the flow, bytes out; as strict as it is fast."""
