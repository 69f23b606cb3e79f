"""The metrics of `sklearn.metrics` that measure predictions against targets, by their own names.

Nothing of scikit-learn is imported here: the table is what listing the providers costs. A test compares it with the
installed version, so that none is missing silently.
"""

from __future__ import annotations

#: Name of the metric -> one line for ``mercury-ml providers``.
METRICS: dict[str, str] = {
    # labels against labels
    "accuracy_score": "The share of labels that are right",
    "balanced_accuracy_score": "Mean recall of the classes: accuracy that rare classes count in",
    "class_likelihood_ratios": "Positive and negative likelihood ratio of a binary classifier",
    "classification_report": "Precision, recall, F1 and support of every class, with their averages",
    "cohen_kappa_score": "Agreement with the targets beyond chance",
    "confusion_matrix": "How often each class was taken for each",
    "f1_score": "Harmonic mean of precision and recall",
    "fbeta_score": "Weighted harmonic mean of precision and recall",
    "hamming_loss": "The share of labels that are wrong, label by label where there are several",
    "jaccard_score": "Size of the intersection over size of the union of label sets",
    "matthews_corrcoef": "Correlation of labels and targets, -1 to 1",
    "multilabel_confusion_matrix": "A 2 x 2 confusion matrix of every class or label",
    "precision_recall_fscore_support": "Precision, recall, F-score and support of every class",
    "precision_score": "The share of rows called positive that are",
    "recall_score": "The share of positive rows that were called so",
    "zero_one_loss": "The share of labels that are wrong",
    # scores of classes against labels
    "average_precision_score": "Area under the precision-recall curve, as a weighted mean of precisions",
    "brier_score_loss": "Mean squared difference of probabilities and outcomes",
    "confusion_matrix_at_thresholds": "Counts of a binary confusion matrix at every threshold",
    "d2_brier_score": "Share of the Brier score that the model explains",
    "d2_log_loss_score": "Share of the log loss that the model explains",
    "det_curve": "False positive and false negative rates at every threshold",
    "hinge_loss": "Mean hinge loss of decision values",
    "log_loss": "Cross-entropy of probabilities and outcomes",
    "precision_recall_curve": "Precision and recall at every threshold",
    "roc_auc_score": "Area under the ROC curve",
    "roc_curve": "True and false positive rates at every threshold",
    "top_k_accuracy_score": "The share of rows whose class is among the k highest scores",
    # scores of labels against label matrices, and rankings
    "coverage_error": "How far down the ranking all true labels are covered",
    "dcg_score": "Discounted cumulative gain of a ranking",
    "label_ranking_average_precision_score": "Average precision of the ranking of labels, row by row",
    "label_ranking_loss": "The share of pairs of labels that are ranked the wrong way round",
    "ndcg_score": "Discounted cumulative gain of a ranking, over that of the best ranking",
    # numbers against numbers
    "d2_absolute_error_score": "Share of the absolute error that the model explains",
    "d2_pinball_score": "Share of the pinball loss that the model explains",
    "d2_tweedie_score": "Share of the Tweedie deviance that the model explains",
    "explained_variance_score": "Share of the variance that the model explains",
    "max_error": "The largest absolute error",
    "mean_absolute_error": "Mean of absolute errors",
    "mean_absolute_percentage_error": "Mean of absolute errors over absolute targets, as a fraction",
    "mean_gamma_deviance": "Mean Gamma deviance: relative errors of positive numbers",
    "mean_pinball_loss": "Mean pinball loss, for quantile regression",
    "mean_poisson_deviance": "Mean Poisson deviance: errors of counts",
    "mean_squared_error": "Mean of squared errors",
    "mean_squared_log_error": "Mean of squared errors of log(1 + x)",
    "mean_tweedie_deviance": "Mean Tweedie deviance of a given power",
    "median_absolute_error": "Median of absolute errors",
    "r2_score": "Coefficient of determination, R²",
    "root_mean_squared_error": "Square root of the mean of squared errors",
    "root_mean_squared_log_error": "Square root of the mean of squared errors of log(1 + x)",
    # groupings against groupings: what the groups are called does not count
    "adjusted_mutual_info_score": "Mutual information of two groupings, adjusted for chance",
    "adjusted_rand_score": "Pairs of rows grouped alike, adjusted for chance",
    "completeness_score": "Whether all rows of a class are in one group",
    "fowlkes_mallows_score": "Geometric mean of precision and recall over pairs of rows",
    "homogeneity_completeness_v_measure": "Homogeneity, completeness and their harmonic mean",
    "homogeneity_score": "Whether each group holds rows of one class only",
    "mutual_info_score": "Mutual information of two groupings, in nats",
    "normalized_mutual_info_score": "Mutual information of two groupings, scaled to 0..1",
    "pair_confusion_matrix": "A 2 x 2 confusion matrix over pairs of rows",
    "rand_score": "The share of pairs of rows that are grouped alike",
    "v_measure_score": "Harmonic mean of homogeneity and completeness",
}
