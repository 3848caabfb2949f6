"""Starts llama.cpp's own HTTP server (from PyPI's xllamacpp) on a free port and prints "listening URL" once it is ready.

Usage: python llama_server.py MODEL ALIAS chat|embed|rerank SLOTS CONTEXT PORT [CACHE_MIB]

CACHE_MIB is the memory for prompts that no slot holds any more; llama.cpp's own default unless given, 0 for none.
"""

import signal
import sys

import xllamacpp

model, alias, mode, slots, context, port, *cache_mib = sys.argv[1:]

parameters = xllamacpp.CommonParams()
parameters.model.path = model
parameters.model_alias = {alias}
parameters.hostnames = ["127.0.0.1"]
parameters.port = int(port)
parameters.n_parallel = int(slots)
parameters.n_ctx = int(context)
parameters.use_jinja = True
parameters.endpoint_slots = True
parameters.warmup = False
if cache_mib:
    parameters.cache_ram_mib = int(cache_mib[0])
parameters.cpuparams.n_threads = 1
parameters.cpuparams_batch.n_threads = 1
if mode == "embed":
    parameters.embedding = True
    parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
if mode == "rerank":
    parameters.embedding = True
    parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK

server = xllamacpp.Server(parameters)
print(f"listening {server.listening_address}", flush=True)
signal.sigwait({signal.SIGTERM, signal.SIGINT})
