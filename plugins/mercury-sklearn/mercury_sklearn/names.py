"""Where every estimator of scikit-learn lives, so that one module is imported and not all of them."""

from __future__ import annotations

_BY_MODULE = {
    "calibration": "CalibratedClassifierCV",
    "cluster": """
        AffinityPropagation AgglomerativeClustering Birch BisectingKMeans DBSCAN FeatureAgglomeration HDBSCAN
        KMeans MeanShift MiniBatchKMeans OPTICS SpectralBiclustering SpectralClustering SpectralCoclustering
    """,
    "compose": "ColumnTransformer TransformedTargetRegressor",
    "covariance": """
        EllipticEnvelope EmpiricalCovariance GraphicalLasso GraphicalLassoCV LedoitWolf MinCovDet OAS
        ShrunkCovariance
    """,
    "cross_decomposition": "CCA PLSCanonical PLSRegression PLSSVD",
    "decomposition": """
        DictionaryLearning FactorAnalysis FastICA IncrementalPCA KernelPCA LatentDirichletAllocation
        MiniBatchDictionaryLearning MiniBatchNMF MiniBatchSparsePCA NMF PCA SparseCoder SparsePCA TruncatedSVD
    """,
    "discriminant_analysis": "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis",
    "dummy": "DummyClassifier DummyRegressor",
    "ensemble": """
        AdaBoostClassifier AdaBoostRegressor BaggingClassifier BaggingRegressor ExtraTreesClassifier
        ExtraTreesRegressor GradientBoostingClassifier GradientBoostingRegressor HistGradientBoostingClassifier
        HistGradientBoostingRegressor IsolationForest RandomForestClassifier RandomForestRegressor
        RandomTreesEmbedding StackingClassifier StackingRegressor VotingClassifier VotingRegressor
    """,
    "feature_extraction": "DictVectorizer FeatureHasher",
    "feature_extraction.image": "PatchExtractor",
    "feature_extraction.text": "CountVectorizer HashingVectorizer TfidfTransformer TfidfVectorizer",
    "feature_selection": """
        GenericUnivariateSelect RFE RFECV SelectFdr SelectFpr SelectFromModel SelectFwe SelectKBest
        SelectPercentile SequentialFeatureSelector VarianceThreshold
    """,
    "frozen": "FrozenEstimator",
    "gaussian_process": "GaussianProcessClassifier GaussianProcessRegressor",
    "impute": "IterativeImputer KNNImputer MissingIndicator SimpleImputer",
    "isotonic": "IsotonicRegression",
    "kernel_approximation": "AdditiveChi2Sampler Nystroem PolynomialCountSketch RBFSampler SkewedChi2Sampler",
    "kernel_ridge": "KernelRidge",
    "linear_model": """
        ARDRegression BayesianRidge ElasticNet ElasticNetCV GammaRegressor HuberRegressor Lars LarsCV Lasso
        LassoCV LassoLars LassoLarsCV LassoLarsIC LinearRegression LogisticRegression LogisticRegressionCV
        MultiTaskElasticNet MultiTaskElasticNetCV MultiTaskLasso MultiTaskLassoCV OrthogonalMatchingPursuit
        OrthogonalMatchingPursuitCV PassiveAggressiveClassifier PassiveAggressiveRegressor Perceptron
        PoissonRegressor QuantileRegressor RANSACRegressor Ridge RidgeCV RidgeClassifier RidgeClassifierCV
        SGDClassifier SGDOneClassSVM SGDRegressor TheilSenRegressor TweedieRegressor
    """,
    "manifold": "ClassicalMDS Isomap LocallyLinearEmbedding MDS SpectralEmbedding TSNE",
    "mixture": "BayesianGaussianMixture GaussianMixture",
    "model_selection": """
        FixedThresholdClassifier GridSearchCV HalvingGridSearchCV HalvingRandomSearchCV RandomizedSearchCV
        TunedThresholdClassifierCV
    """,
    "multiclass": "OneVsOneClassifier OneVsRestClassifier OutputCodeClassifier",
    "multioutput": "ClassifierChain MultiOutputClassifier MultiOutputRegressor RegressorChain",
    "naive_bayes": "BernoulliNB CategoricalNB ComplementNB GaussianNB MultinomialNB",
    "neighbors": """
        KNeighborsClassifier KNeighborsRegressor KNeighborsTransformer KernelDensity LocalOutlierFactor
        NearestCentroid NearestNeighbors NeighborhoodComponentsAnalysis RadiusNeighborsClassifier
        RadiusNeighborsRegressor RadiusNeighborsTransformer
    """,
    "neural_network": "BernoulliRBM MLPClassifier MLPRegressor",
    "pipeline": "FeatureUnion Pipeline",
    "preprocessing": """
        Binarizer FunctionTransformer KBinsDiscretizer KernelCenterer LabelBinarizer LabelEncoder MaxAbsScaler
        MinMaxScaler MultiLabelBinarizer Normalizer OneHotEncoder OrdinalEncoder PolynomialFeatures
        PowerTransformer QuantileTransformer RobustScaler SplineTransformer StandardScaler TargetEncoder
    """,
    "random_projection": "GaussianRandomProjection SparseRandomProjection",
    "semi_supervised": "LabelPropagation LabelSpreading SelfTrainingClassifier",
    "svm": "LinearSVC LinearSVR NuSVC NuSVR OneClassSVM SVC SVR",
    "tree": "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor",
}

#: Not estimators, but values that their parameters take: kernels, and ways to split.
_HELPERS = {
    "gaussian_process.kernels": """
        CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation Matern PairwiseKernel Product RBF
        RationalQuadratic Sum WhiteKernel
    """,
    "model_selection": """
        GroupKFold GroupShuffleSplit KFold LeaveOneGroupOut LeaveOneOut LeavePGroupsOut LeavePOut PredefinedSplit
        RepeatedKFold RepeatedStratifiedKFold ShuffleSplit StratifiedGroupKFold StratifiedKFold
        StratifiedShuffleSplit TimeSeriesSplit
    """,
}

#: Estimators that scikit-learn hides until a module is imported.
EXPERIMENTAL = {
    "HalvingGridSearchCV": "sklearn.experimental.enable_halving_search_cv",
    "HalvingRandomSearchCV": "sklearn.experimental.enable_halving_search_cv",
    "IterativeImputer": "sklearn.experimental.enable_iterative_imputer",
}


def _homes(by_module: dict[str, str]) -> dict[str, str]:
    return {name: f"sklearn.{module}" for module, names in by_module.items() for name in names.split()}


#: The public module of every estimator, transformer and meta-estimator, by class name.
ESTIMATORS = _homes(_BY_MODULE)

#: Likewise, with the helpers that a nested ``{use: NAME}`` may name.
MODULES = {**_homes(_HELPERS), **ESTIMATORS}
