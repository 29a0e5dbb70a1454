"""The rules: one file each, and one line in `RULES`."""

from __future__ import annotations

from typing import Final

from credenza.artifact.interface import Signs
from credenza.scan.interface import Rule, Said
from credenza.scan.later import LaterRule

_JINJA: Final = Signs(suffixes=(".jinja", ".jinja2", ".j2"))
_JSON: Final = Signs(
    magics=(b"{", b"[", b"\xef\xbb\xbf", b" ", b"\t", b"\r", b"\n"), suffixes=(".json",)
)
_YAML: Final = Signs(magics=(b"%YAML", b"---"), suffixes=(".yaml", ".yml", "mlmodel"))
_XML: Final = Signs(
    magics=(b"<", b"\xef\xbb\xbf<", b"\xff\xfe<", b"\xfe\xff\0<", b" ", b"\t", b"\r", b"\n"),
    suffixes=(".xml", ".pmml"),
)
_REQUIREMENTS: Final = Signs(suffixes=(".txt", "conda.yaml", "python_env.yaml"))
_GGUF: Final = Signs(magics=(b"GGUF",), suffixes=(".gguf",))
_SAFETENSORS: Final = Signs(magics=(b"{",), at=8, suffixes=(".safetensors",))
_MAPS: Final = tuple(bytes([c]) for c in (*range(0x81, 0x90), 0xDE, 0xDF))
"""With which MessagePack begins a map that holds something."""
_FLAX: Final = Signs(magics=_MAPS, suffixes=(".msgpack",))
_TENSORFLOW: Final = Signs(magics=(b"\n", b"\x08", b"\x12"), suffixes=(".pb", ".meta", ".pbtxt"))

_OPCODES: Final = tuple(
    bytes([c]) for c in (*b"().012BCFGIJKLMNPQRSTUVX]abcdeghijlopqrstu}", *range(0x80, 0x99))
)
"""With which a pickle can begin: all 68, written out so that no machine is imported for them."""

RULES: Final[tuple[Rule, ...]] = (
    # --- pickles, in every container -----------------------------------------
    LaterRule("pickle", "pickles", "Pickles", Signs(magics=_OPCODES), said=Said.PICKLE),
    LaterRule("npy", "npy", "NpyObjects", Signs(magics=(b"\x93NUMPY",))),
    # --- graphs: Keras, TensorFlow, ONNX, TFLite ------------------------------
    LaterRule("keras configuration", "keras_config", "KerasConfig", _JSON),
    LaterRule("hdf5", "hdf5", "Hdf5"),  # its signature may stand behind anything
    LaterRule("tensorflow graph", "tensorflow", "Tensorflow", _TENSORFLOW),
    LaterRule("onnx", "onnx", "Onnx", Signs(magics=(b"\x08",), suffixes=(".onnx", ".pb"))),
    LaterRule("tflite", "tflite", "Tflite", Signs(magics=(b"TFL3",), at=4, suffixes=(".tflite",))),
    # --- headers and texts: GGUF, safetensors, skops, flax, PMML, configs -----
    LaterRule("gguf", "gguf", "GgufHeader", _GGUF, elements=False),
    LaterRule("jinja template", "templates", "Templates", _JINJA),
    LaterRule("json", "json_configs", "JsonConfigs", _JSON, elements=False),
    LaterRule("yaml", "yaml_configs", "YamlConfigs", _YAML, elements=False),
    LaterRule("xml", "xml_models", "XmlModels", _XML, elements=False),
    LaterRule("spacy config", "text_configs", "SpacyConfig", Signs(suffixes=(".cfg",))),
    LaterRule("requirements", "text_configs", "Requirements", _REQUIREMENTS),
    LaterRule("safetensors", "safetensors", "SafetensorsHeader", _SAFETENSORS, elements=False),
    LaterRule("flax", "flax", "FlaxTree", _FLAX, elements=False),
    # --- code: Python, TorchScript, executables, names ------------------------
    LaterRule(
        "python source",
        "python_source",
        "PythonSource",
        Signs(magics=(b"#!",), suffixes=(".py", ".pyw", ".ipynb")),
    ),
    LaterRule("python bytecode", "bytecode", "Bytecode"),
    LaterRule("script", "scripts", "Script"),
    LaterRule("path file of Python", "site_paths", "SitePaths", Signs(suffixes=(".pth",))),
    LaterRule("native code", "native", "Native"),
    LaterRule("false name", "names", "Names", elements=False),
    LaterRule("text", "text", "Text"),
    LaterRule("git-lfs pointer", "text", "LfsPointer", Signs(magics=(b"version https://git-lfs",))),
    LaterRule("media (recognised, not read)", "media", "Media"),
)
"""Every rule that claims a piece looks at it: a file can be two things at once, to two loaders."""
