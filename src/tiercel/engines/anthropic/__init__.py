"""An engine behind Anthropic's messages API: OpenAI's words translated there and back, each of them accounted for."""
