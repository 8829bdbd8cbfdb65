"""A language model behind any server of OpenAI's chat completions: Ollama, LM Studio, llama.cpp, vLLM, a proxy, a cloud."""

from patter_nb.providers.openai_compatible.llm import OpenAICompatibleLLM

__all__ = ["OpenAICompatibleLLM"]
