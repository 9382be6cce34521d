"""llama.cpp as a peer, through the bindings of llama-cpp-python. Prints one JSON object.

  speed MODEL THREADS PROMPT GENERATE   one run after a warm-up, wall and processor seconds
  quantize SOURCE TARGET FORM           FORM is f32 or q4_0
  score MODEL TEXT TOKENS LOGITS        perplexity of the tokens (a JSON list); their logits as raw f32 into LOGITS
  compare TRUTH OTHER VOCAB             KL divergence and agreement of two files of logits
"""
import ctypes
import json
import sys
import time

import numpy as np


def library():
    import llama_cpp

    @llama_cpp.llama_log_callback
    def quiet(level, text, data):
        pass

    library.keep = quiet
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    return llama_cpp


def opened(l, path, threads, context):
    model = l.llama_model_load_from_file(path.encode(), l.llama_model_default_params())
    assert model, f"llama.cpp cannot open {path}"
    p = l.llama_context_default_params()
    p.n_ctx, p.n_batch, p.n_ubatch = context, context, 512
    p.n_threads = p.n_threads_batch = threads
    return model, l.llama_init_from_model(model, p)


def decode(l, context, tokens):
    batch = (l.llama_token * len(tokens))(*[int(t) for t in tokens])
    assert l.llama_decode(context, l.llama_batch_get_one(batch, len(tokens))) == 0
    return l.llama_get_logits_ith(context, -1)


def speed(path, threads, prompt, generate):
    l = library()
    model, context = opened(l, path, int(threads), int(prompt) + int(generate) + 8)
    vocab = l.llama_vocab_n_tokens(l.llama_model_get_vocab(model))
    tokens = [(7 + i * 31) % 20000 + 100 for i in range(int(prompt))]
    best = lambda logits: int(np.ctypeslib.as_array(logits, (vocab,)).argmax())
    for warm in (True, False):
        l.llama_memory_clear(l.llama_get_memory(context), True)
        wall, cpu = time.perf_counter(), time.process_time()
        token = best(decode(l, context, tokens))
        first_wall, first_cpu = time.perf_counter() - wall, time.process_time() - cpu
        if warm:
            decode(l, context, [token])
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(int(generate) - 1):
        token = best(decode(l, context, [token]))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    n = int(generate) - 1
    return {
        "prefill": {"tokens_per_s": int(prompt) / first_wall, "tokens_per_cpu_s": int(prompt) / first_cpu},
        "decode": {"tokens_per_s": n / wall, "tokens_per_cpu_s": n / cpu},
        "ttft_s": first_wall,
    }


def quantize(source, target, form):
    l = library()
    p = l.llama_model_quantize_default_params()
    p.ftype = {"f32": l.LLAMA_FTYPE_ALL_F32, "q4_0": l.LLAMA_FTYPE_MOSTLY_Q4_0}[form]
    p.allow_requantize = True
    assert l.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(p)) == 0
    return {"target": target}


def score(path, text, tokens, logits):
    l = library()
    tokens = json.load(open(tokens))
    model, context = opened(l, path, 2, len(tokens) + 8)
    vocabulary = l.llama_model_get_vocab(model)
    vocab = l.llama_vocab_n_tokens(vocabulary)
    raw = open(text, "rb").read()
    own = (l.llama_token * (len(raw) + 8))()
    count = l.llama_tokenize(vocabulary, raw, len(raw), own, len(own), False, True)
    batch = l.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for i, t in enumerate(tokens):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = t, i, 1, 1
        batch.seq_id[i][0] = 0
    assert l.llama_decode(context, batch) == 0
    rows = [np.ctypeslib.as_array(l.llama_get_logits_ith(context, i), (vocab,)).copy() for i in range(len(tokens))]
    x = np.stack(rows)
    x.astype("<f4").tofile(logits)
    p = log_softmax(x)
    foreseen = p[np.arange(len(tokens) - 1), tokens[1:]]
    return {"perplexity": float(np.exp(-foreseen.mean())), "same_tokens": list(own[:count]) == tokens}


def log_softmax(x):
    x = x.astype(np.float64)
    x -= x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def compare(truth, other, vocab):
    read = lambda path: log_softmax(np.fromfile(path, "<f4").reshape(-1, int(vocab)))
    p, q = read(truth), read(other)
    return {
        "kl": float((np.exp(p) * (p - q)).sum(-1).mean()),
        "top1": float((p.argmax(-1) == q.argmax(-1)).mean()),
    }


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
