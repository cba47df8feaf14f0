"""The adapter to all servers with OpenAI's API: vLLM, SGLang, TensorRT-LLM, llama.cpp, Ollama, OpenAI, Azure."""
