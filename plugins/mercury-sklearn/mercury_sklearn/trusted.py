"""The types of scikit-learn, and of what it keeps in estimators, that a skops file may hold beyond skops' own list.

skops loads a type only where somebody trusts it; what it knows by itself are estimators, arrays and plain values.
This is the plugin's own reviewed list of the rest. A file never adds to it: only the one who loads does, with
``trusted=[...]``.

Every name stands with the *place* in which scikit-learn's own files have it, the loader of skops that builds it. The
same name under another loader is refused: skops would otherwise call any trusted name with arguments from the file.
So of the names below

- an ``ObjectNode`` is made by ``__new__`` and given its state (``__setstate__``, or ``__dict__``): the review is of
  those two;
- a ``FunctionNode`` or ``TypeNode`` is imported and put in its place, not called: the review is of what an estimator
  may call it with;
- the others are named where they stand.

What a trusted type would do with *content* that scikit-learn never writes (an index out of bounds) is a question of
its own: see `mercury_sklearn.trusted_content`, which looks at every such value before it is used.
"""

from __future__ import annotations

from dataclasses import dataclass

from mercury_sklearn.metric_names import METRICS


@dataclass(frozen=True, slots=True)
class Group:
    """Names that are trusted for the same reason.

    Attributes:
        reason: What the review found.
        places: The loaders of skops under which they may stand.
        names: Full names.
    """

    reason: str
    places: tuple[str, ...]
    names: tuple[str, ...]


def _of(module: str, names: str) -> tuple[str, ...]:
    return tuple(f"{module}.{name}" for name in names.split())


#: The only function that a trusted partial may be of.
PARTIAL_OF = "sklearn.utils.validation.check_array"

GROUPS = (
    Group(
        # Tree.__cinit__ copies `n_classes`, __setstate__ checks the types of both arrays and copies them; neither
        # calls anything. They trust sizes and child indices, which is why skops does not trust them:
        # `trusted_content` checks both first.
        "Trees: __setstate__ copies two arrays; sizes and indices are checked before it is called",
        ("TreeNode", "TypeNode"),
        ("sklearn.tree._tree.Tree",),
    ),
    Group(
        # __setstate__ puts the state into __dict__ and casts `nodes`; predict walks it without bounds checks:
        # `trusted_content`.
        "Trees of histogram gradient boosting: three arrays; indices are checked",
        ("ObjectNode",),
        ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",),
    ),
    Group(
        # __setstate__ puts thirteen values into typed attributes and looks at the name of the metric's class.
        "Neighbour trees: __setstate__ keeps arrays; indices, ranges and sizes are checked before it is called",
        ("ObjectNode",),
        ("sklearn.neighbors._kd_tree.KDTree", "sklearn.neighbors._ball_tree.BallTree"),
    ),
    Group(
        # __setstate__ keeps p, vec and mat. PyFuncDistance is left out: its state is a function, which it calls.
        "Distances: __setstate__ keeps a number and two arrays; PyFuncDistance, which holds a function, is left out",
        ("ObjectNode",),
        _of(
            "sklearn.metrics._dist_metrics",
            "BrayCurtisDistance64 CanberraDistance64 ChebyshevDistance64 DiceDistance64 EuclideanDistance64 "
            "HammingDistance64 HaversineDistance64 JaccardDistance64 MahalanobisDistance64 ManhattanDistance64 "
            "MatchingDistance64 MinkowskiDistance64 RogersTanimotoDistance64 RussellRaoDistance64 SEuclideanDistance64 "
            "SokalMichenerDistance64 SokalSneathDistance64 YuleDistance64",
        ),
    ),
    Group(
        # Plain Python classes whose only state is __dict__ (BaseEstimator.__setstate__ where they have one: it warns
        # of versions and updates __dict__). PairwiseKernel passes `metric` to pairwise_kernels, which calls it if it
        # is a function: that function would be a node of its own, and so has to be trusted by itself.
        "Kernels of Gaussian processes: plain attributes",
        ("ObjectNode",),
        _of(
            "sklearn.gaussian_process.kernels",
            "CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation Matern PairwiseKernel Product RBF "
            "RationalQuadratic Sum WhiteKernel",
        ),
    ),
    Group(
        # Private parts of meta-estimators: BaseEstimator or object, plain attributes; each calls only methods of the
        # estimators that it holds, which are nodes of their own.
        "Parts of estimators: plain attributes",
        ("ObjectNode",),
        (
            "sklearn.calibration._CalibratedClassifier",
            "sklearn.calibration._SigmoidCalibration",
            "sklearn.calibration._TemperatureScaling",
            "sklearn.cluster._bisect_k_means._BisectingTree",
            "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
            "sklearn.multiclass._ConstantPredictor",
            "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
            "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
            "sklearn.utils._metadata_requests.MetadataRequest",
            "sklearn.utils._metadata_requests.MethodMetadataRequest",
        ),
    ),
    Group(
        # A loss holds a Cython loss (no code from the file: constructor with numbers), a link and an interval, which
        # skops trusts.
        "Losses: plain attributes around the loss functions that skops trusts",
        ("ObjectNode",),
        _of("sklearn._loss.loss", "HalfTweedieLoss HalfTweedieLossIdentity HuberLoss PinballLoss"),
    ),
    Group(
        # dict.__setitem__ on an empty Bunch; attribute access reads its items.
        "Bunch: a dict",
        ("DictNode",),
        ("sklearn.utils._bunch.Bunch",),
    ),
    Group(
        # Plain attributes; a scorer calls its metric, a node of its own, with arrays.
        "Scorers: plain attributes",
        ("ObjectNode",),
        _of("sklearn.metrics._scorer", "_CurveScorer _MultimetricScorer _PassthroughScorer _Scorer"),
    ),
    Group(
        # Arithmetic on arrays: no files, no eval, no callable parameter. Under every private module that defines
        # metrics.
        "Metrics that scorers hold: arithmetic on arrays",
        ("FunctionNode",),
        tuple(
            f"sklearn.metrics.{module}.{name}"
            for module in ("_classification", "_ranking", "_regression", "cluster._supervised")
            for name in METRICS
        ),
    ),
    Group(
        # Plain attributes; they make indices from counts and labels. RepeatedKFold holds the class it repeats.
        "Splitters of cross-validation: plain attributes",
        ("ObjectNode", "TypeNode"),
        _of(
            "sklearn.model_selection._split",
            "GroupKFold GroupShuffleSplit KFold LeaveOneGroupOut LeaveOneOut LeavePGroupsOut LeavePOut PredefinedSplit "
            "RepeatedKFold RepeatedStratifiedKFold ShuffleSplit StratifiedGroupKFold StratifiedKFold "
            "StratifiedShuffleSplit TimeSeriesSplit _CVIterableWrapper",
        ),
    ),
    Group(
        # Arithmetic on arrays, called with the data of fit only.
        "Score functions of feature selection: arithmetic on arrays",
        ("FunctionNode",),
        (
            *_of(
                "sklearn.feature_selection._univariate_selection", "chi2 f_classif f_oneway f_regression r_regression"
            ),
            *_of("sklearn.feature_selection._mutual_info", "mutual_info_classif mutual_info_regression"),
        ),
    ),
    Group(
        # Called with arrays by k-means while it fits.
        "Steps of k-means: arithmetic on arrays",
        ("FunctionNode",),
        _of("sklearn.cluster._kmeans", "_kmeans_single_elkan _kmeans_single_lloyd"),
    ),
    Group(
        # FeatureAgglomeration pools columns with one of them. NumPy's own reductions: no object of theirs is called.
        "Reductions of NumPy, to pool features: arithmetic on arrays",
        ("FunctionNode",),
        _of("numpy", "amax amin max mean median min prod std sum var"),
    ),
    Group(
        # HistGradientBoosting keeps `partial(check_array, ...)` in its preprocessor: check_array converts and checks
        # an array. A partial is trusted around that function alone, which the loader checks.
        "The check of arrays in histogram gradient boosting: partial(check_array, ...) and no other partial",
        ("FunctionNode", "PartialNode"),
        ("functools.partial", PARTIAL_OF),
    ),
    Group(
        # The dtype of an empty array that NumPy itself reads, without pickle.
        "Types of arrays",
        ("DTypeNode",),
        ("numpy.dtype",),
    ),
    Group(
        # load_npz reads arrays without pickle and makes a matrix of them; `trusted_content` checks its indices.
        "Sparse matrices: arrays; indices are checked",
        ("SparseMatrixNode",),
        (
            *(
                f"scipy.sparse._{kind}.{kind}_{form}"
                for kind in ("bsr", "coo", "csc", "csr", "dia")
                for form in ("array", "matrix")
            ),
        ),
    ),
    Group(
        # Plain attributes around two arrays and a number; evaluation indexes by them: `trusted_content` checks the
        # sizes. scipy's `asarray` is the array function that a spline remembers; it is called with the data.
        "Splines: arrays; sizes are checked",
        ("ObjectNode",),
        ("scipy.interpolate._bsplines.BSpline",),
    ),
    Group(
        "The array function that splines remember: asarray",
        ("FunctionNode",),
        ("numpy.asarray", "scipy._lib.array_api_compat.numpy._aliases.asarray"),
    ),
)

#: Full name -> the loaders of skops under which it is trusted.
PLACES: dict[str, tuple[str, ...]] = {name: group.places for group in GROUPS for name in group.names}
