"""Writes a GGUF model of about 1 MiB whose answers are known in advance.

The model has no knowledge. Its one layer adds next to nothing, so the next token depends on the last one, and the
weights of the output are chosen such that each token of a chain predicts the following one. The chat template picks the chain:
a sentence that ends, a loop that never ends, or a tool call.

Usage: python make_model.py FILE
"""

import sys

import gguf
import numpy as np

WIDTH = 128
FEED_FORWARD = 32
CONTEXT = 65536
# Logits of the chosen token are about 40 above the others, so that sampling at any usual temperature follows the chain.
GAIN = 5.0

ANSWER = ["The", "▁harbour", "▁light", "▁burns", "▁all", "▁night", "▁for", "▁every", "▁ship", "▁at", "▁sea", "."]
LOOP = ["▁round", "▁and", "▁again"]
TOOL_CALL = ['<tool_call>\n{"name": "get_weather", "arguments": {"city": "', "Lisbon", '"}}\n</tool_call>']

ANSWER_START, LOOP_START, TOOL_START, USER, END = "<|answer|>", "<|loop|>", "<|call|>", "<|user|>", "<|end|>"

CHAT_TEMPLATE = (
    "{% if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}</tools>"
    " Answer with <tool_call>{\"name\": …, \"arguments\": …}</tool_call>.{% endif %}"
    "{% for message in messages %}<|user|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% endif %}"
    "{% for call in message.tool_calls or [] %}<tool_call>\n"
    "{\"name\": \"{{ call.function.name }}\", \"arguments\": {{ call.function.arguments | tojson }}}\n"
    "</tool_call>{% endfor %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}"
    "{% if messages[-1].role == 'tool' %}<|answer|>"
    "{% elif tools %}<|call|>"
    "{% elif messages[-1].content is string and 'forever' in messages[-1].content %}<|loop|>"
    "{% else %}<|answer|>{% endif %}{% endif %}"
)
RERANK_TEMPLATE = "{query}</s>{document}"

NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6


def vocabulary() -> tuple[list[str], list[int], list[float]]:
    """Returns the tokens with their types and scores. A higher score is merged earlier."""
    tokens = [("<unk>", UNKNOWN, 0.0), ("<s>", CONTROL, 0.0), ("</s>", CONTROL, 0.0)]
    tokens += [(f"<0x{value:02X}>", BYTE, 0.0) for value in range(256)]
    tokens += [(name, CONTROL, 0.0) for name in (ANSWER_START, LOOP_START, TOOL_START, USER, END)]
    characters = [chr(code) for code in range(33, 127)] + ["▁"]
    tokens += [(character, NORMAL, -1000.0 - index) for index, character in enumerate(characters)]
    # Runs of "=" take one token per 64 characters, so that prompts of many kilobytes stay cheap to read.
    tokens += [("=" * length, NORMAL, float(length - 1000)) for length in (2, 4, 8, 16, 32, 64)]
    known = {token for token, _, _ in tokens}
    chains = ANSWER + LOOP + TOOL_CALL
    tokens += [(word, NORMAL, -2000.0 - index) for index, word in enumerate(chains) if word not in known]
    return [token for token, _, _ in tokens], [kind for _, kind, _ in tokens], [score for _, _, score in tokens]


def main(path: str) -> None:
    tokens, kinds, scores = vocabulary()
    index = {token: position for position, token in enumerate(tokens)}
    random = np.random.default_rng(1)

    embedding = random.standard_normal((len(tokens), WIDTH)).astype(np.float32)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    output = np.zeros((len(tokens), WIDTH), np.float32)

    def follow(chain: list[str]) -> None:
        for previous, following in zip(chain, chain[1:]):
            output[index[following]] += GAIN * embedding[index[previous]]

    follow([ANSWER_START, *ANSWER, "</s>"])
    follow([LOOP_START, *LOOP, LOOP[0]])
    follow([TOOL_START, *TOOL_CALL, "</s>"])

    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_name("harbour")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_key_length(WIDTH // 4)
    writer.add_value_length(WIDTH // 4)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_scores(scores)
    writer.add_bos_token_id(index["<s>"])
    writer.add_eos_token_id(index["</s>"])
    writer.add_classifier_output_labels(["yes", "no"])
    writer.add_sep_token_id(index["</s>"])
    writer.add_unk_token_id(index["<unk>"])
    writer.add_add_space_prefix(False)
    writer.add_chat_template([
        {"name": "default", "template": CHAT_TEMPLATE},
        {"name": "rerank", "template": RERANK_TEMPLATE},
    ])

    half = np.float16
    writer.add_tensor("token_embd.weight", embedding.astype(half))
    writer.add_tensor("output.weight", output.astype(half))
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    # Only a reranker reads this: the score of a text is read off its last token.
    writer.add_tensor("cls.output.weight", random.standard_normal((2, WIDTH)).astype(half))
    layer = "blk.0."
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"{layer}{name}.weight", np.ones(WIDTH, np.float32))
    for name in ("attn_q_norm", "attn_k_norm"):
        writer.add_tensor(f"{layer}{name}.weight", np.ones(WIDTH // 4, np.float32))
    shapes = {"attn_q": (WIDTH, WIDTH), "attn_k": (WIDTH // 2, WIDTH), "attn_v": (WIDTH // 2, WIDTH),
              "ffn_gate": (FEED_FORWARD, WIDTH), "ffn_up": (FEED_FORWARD, WIDTH)}
    for name, shape in shapes.items():
        writer.add_tensor(f"{layer}{name}.weight", (random.standard_normal(shape) * 0.1).astype(half))
    # Attention adds a little of the earlier tokens, so that vectors and scores differ between texts that end alike. The
    # chains are far above it.
    writer.add_tensor(f"{layer}attn_output.weight", (random.standard_normal((WIDTH, WIDTH)) * 0.001).astype(half))
    writer.add_tensor(f"{layer}ffn_down.weight", np.zeros((WIDTH, FEED_FORWARD), half))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main(sys.argv[1])
