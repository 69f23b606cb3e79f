"""What a TensorFlow SavedModel would do: it is a program, so its operations are looked at before it is loaded.

Operations that compute are run; those that reach beyond the model (files, Python functions, the network, other
processes) are refused unless they are trusted by name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mercury_core.errors import BundleFormatError, CorruptBundleError, UntrustedTypeError
from mercury_keras.formats.common import first_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_GRAPH = "saved_model.pb"
# TensorFlow would read each of these in place of the file that was looked at.
_OTHERS = ("saved_model.cpb", "saved_model.pbtxt")
# Without state, and yet reading files, calling Python, writing, or ending the process.
_REACHING = re.compile(
    r"Abort|.*Dataset.*|Debug.*|(De|En)codeProto.*|GenerateVocabRemapping|ImmutableConst|InitializeTableFromTextFile.*|"
    r"MatchingFiles|PyFunc.*|ReadFile|Reader.*|TPU.*|XlaSparse.*|SymbolicGradient"
)
# With state, and no more than variables, tables, random numbers and calls of functions that are looked at as well.
_COMPUTING = re.compile(
    r"Assign(Add|Sub)?VariableOp|Assert|Case|If|While|StatefulPartitionedCall|CheckNumerics(V2)?|CudnnRNN(V2|V3)?|"
    r"DeepCopy|DestroyResourceOp|DeviceIndex|DisableCopyOnRead|Empty|GuaranteeConst|InitializeTableV2|"
    r"(Anonymous)?(Mutable)?(Dense)?HashTable(OfTensors)?(V2)?|LookupTable(Export|Find|Import|Insert|Remove|Size)V2|"
    r"Multinomial|ParameterizedTruncatedNormal|Random(Gamma|PoissonV2|Shuffle|StandardNormal|Uniform|UniformInt|Crop)|"
    r"TruncatedNormal|ReadVariableOp|ResourceGather(Nd)?|Rng(Read|)(AndSkip|Skip)|SampleDistortedBoundingBox(V2)?|"
    r"Stateful(StandardNormalV2|TruncatedNormal|Uniform|UniformFullInt|UniformInt|RandomBinomial)|"
    r"StatelessRandomGetAlg|TensorArray\w*V3|VarHandleOp|VarIsInitializedOp|VariableShape"
)
# What writes and reads the variables: it stands in two functions, which nothing but TensorFlow itself calls.
_SAVING = frozenset({"SaveV2", "RestoreV2", "MergeV2Checkpoints"})


def check(directory: Path, trusted: Collection[str]) -> None:
    """Look at every operation of a SavedModel.

    Args:
        directory: The SavedModel.
        trusted: Operations to trust beyond those that compute, as ``tensorflow:ReadFile``.

    Raises:
        BundleFormatError: It is none.
        CorruptBundleError: Files that lead elsewhere.
        UntrustedTypeError: Operations that are not trusted.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    found = saved_model_pb2.SavedModel()
    try:
        found.ParseFromString((directory / _GRAPH).read_bytes())
    except Exception as error:  # protobuf's own class of error is none of its public names
        why = f"its {_GRAPH} cannot be read ({first_line(error)})"
        raise BundleFormatError(str(directory), why) from error
    faults = [f"it has a {name}, which Keras does not write" for name in _OTHERS if (directory / name).exists()]
    faults += [f"{path.name} is a link" for path in directory.rglob("*") if path.is_symlink()]
    for graph in found.meta_graphs:
        names = [asset.filename for asset in graph.asset_file_def]
        faults += [f"its asset {name!r} leads elsewhere" for name in names if "/" in name or name in ("", ".", "..")]
    if faults:
        raise CorruptBundleError(str(directory), faults[:5])
    reaching = {f"tensorflow:{name}" for graph in found.meta_graphs for name in _reaching(graph)}
    untrusted = reaching - ({trusted} if isinstance(trusted, str) else set(trusted))
    if untrusted:
        raise UntrustedTypeError(str(directory), untrusted)


def _reaching(graph: Any) -> Iterator[str]:
    """The operations of a graph and of all its functions that do more than compute."""
    functions = {function.signature.name: function for function in graph.graph_def.library.function}
    saving = set(_saving_functions(graph, functions))
    for name, nodes in [("", graph.graph_def.node), *((name, one.node_def) for name, one in functions.items())]:
        for node in nodes:
            if node.op in functions or (node.op in _SAVING and name in saving):
                continue
            if not _computes(node.op):
                yield node.op


def _saving_functions(graph: Any, functions: dict[str, Any]) -> Iterator[str]:
    """The functions that the saver of a graph calls, where nothing else calls them."""
    own = {graph.saver_def.save_tensor_name.partition(":")[0], graph.saver_def.restore_op_name}
    called: dict[str, list[bool]] = {}
    nodes = [(node, node.name in own) for node in graph.graph_def.node]
    nodes += [(node, False) for function in functions.values() for node in function.node_def]
    for node, is_own in nodes:
        named = [value for attribute in node.attr.values() for value in (attribute.func, *attribute.list.func)]
        for name in {node.op, *(value.name for value in named)} & functions.keys():
            called.setdefault(name, []).append(is_own)
    objects = graph.object_graph_def.concrete_functions
    return (name for name, by in called.items() if all(by) and name not in objects)


def _computes(operation: str) -> bool:
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(operation)
    if definition is None:
        return False
    if definition.is_stateful:
        return _COMPUTING.fullmatch(operation) is not None
    return _REACHING.fullmatch(operation) is None
