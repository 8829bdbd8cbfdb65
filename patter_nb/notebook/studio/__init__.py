"""The studio: an agent's prompt, tools and guardrails under your hand, between calls and during them."""
