"""The page on migrating names everything that mercury-ml 0.2.3 had."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/migrating.md").read_text(encoding="utf-8")

#: Every public class, function, method and alias in the source of 0.2.3.
NAMES = """
    ArtifactCopiers BaseLoggerProvider CSVLoggerProvider CallBacks CustomLabelMetrics CustomMetrics DataBunch
    DataSet EarlyStoppingProvider GeneratorPreprocessingFunctionGetters H2ODataWrapper H2OSparklingDataWrapper
    KerasIteratorDataWrapper KerasIteratorFeaturesDataWrapper KerasIteratorIndexDataWrapper
    KerasIteratorTargetsDataWrapper LearningRateSchedulerProvider LocalArtifactStorers LossFunctionFetchers
    ModelCheckpointProvider ModelCompilers ModelDefinitions ModelEvaluators ModelFitters ModelLoaders ModelSavers
    MongoClientSingleton MultiInputDirectoryInterator MultiInputImageDataGenerator MultiLabelDirectoryInterator
    MultiLabelImageDataGenerator NumpyDataWrapper OptimizerFetchers PandasDataWrapper PredictionFunctions
    ProgbarLoggerProvider ReduceLROnPlateauProvider RemoteMonitorProvider S3Singleton SessionInitiators
    SingleInputDirectoryInterator SingleInputImageDataGenerator SourceReaders SparkDataWrapper TensorBoardProvider
    TerminateOnNaNProvider add_data_set add_data_sets add_data_wrapper add_data_wrapper_via_concatenate
    add_data_wrappers auto_encoder base_logger compile_model concatenate copy_from_disk_to_disk
    copy_from_disk_to_gcs copy_from_disk_to_hdfs copy_from_disk_to_mongo copy_from_disk_to_s3 copy_from_gcs_to_disk
    copy_from_hdfs_to_disk copy_from_s3_to_disk copy_from_s3_to_s3 csv_logger deep_water define_conv_simple
    define_mlp_simple define_model early_stopping evaluate evaluate_accuracy evaluate_auc evaluate_confusion_matrix
    evaluate_generator evaluate_label_metrics evaluate_macro_auc evaluate_metrics evaluate_micro_auc
    evaluate_multi_label_confusion_matrix evaluate_numpy_accuracy evaluate_numpy_auc evaluate_numpy_confusion_matrix
    evaluate_numpy_macro_auc evaluate_numpy_micro_auc evaluate_numpy_multi_label_confusion_matrix
    evaluate_threshold_metrics fit fit_generator flow_from_directory gbm get_custom_loss get_filenames
    get_keras_loss get_keras_optimizer get_labels_classes get_labels_dummies get_mock_loss_function
    get_or_create_h2o get_or_create_h2o_sparkling get_or_create_spark_session get_random_eraser get_target_classes
    get_target_dummies get_weighted_loss_function glm k_means learning_rate_scheduler load_h2o_model load_hdf5
    load_hdf5_model load_model load_mojo load_mojo_model load_referenced_json_config low_rank mlp model_checkpoint
    naive_bayes pca predict predict_generator progbar_logger read_data_bunch read_disk_keras_multi_label_iterator
    read_disk_keras_single_input_iterator read_disk_pandas read_hive_spark
    read_keras_multi_label_image_iterator_data_set read_keras_single_input_image_iterator_data_set
    read_pandas_data_set read_spark_data_set read_test_data_bunch read_train_valid_test_data_bunch
    recursively_update_config reduce_lr_on_plateau remote_monitor rf save_h2o_model save_hdf5 save_json_details
    save_keras_hdf5 save_model_details save_mojo save_mojo_jar save_pojo save_pojo_jar save_tensorflow_saved_model
    save_tensorflow_saved_model_archived singleton slice_on_column_names store_artifacts store_dict_json
    store_dict_on_mongo store_h2o_frame store_hive_table store_model store_pandas_json store_pandas_pickle svd
    tensorboard terminate_on_nan to_h2o to_h2o_sparkling to_keras_directory_iterator to_numpy to_pandas to_spark
    transform
"""
#: Every key of the configs in its examples.
KEYS = """
    always_fetch_remote artifact_path artifacts auth batch_size callbacks channel_shift_range class_mode color_mode
    config_filepath copy_from_local_to_remote copy_from_remote_to_local custom_label_metrics custom_metrics
    data_bunch_name data_format data_set_names data_sets data_wrapper_name data_wrapper_names data_wrapper_params
    data_wrappers_params dense_activation directory dropout_rate enableHiveSupport epochs
    evaluate_custom_label_metrics evaluate_custom_metrics evaluation_session_id exec extension factor_columns_list
    features features_columns featurewise_center featurewise_std_normalization filename filepath fill_mode
    final_activation full_data full_data_columns full_data_wrapper_params generator_params get_loss_function
    get_optimizer global_references h2o_context_params h2o_log_level h2o_sparkling_params height_shift_range
    horizontal_flip index index_columns init initiate_session input_format input_size iterator_params labels
    left_data_wrapper_name local_dir log_level loss_function_getter_name loss_function_getter_params loss_name
    loss_weights lr meta_info metric_names metrics min_delta ml_engine mock_value model_definition model_id
    model_object_name model_purpose monitor name names nb_classes nb_features new_data_wrapper_name
    notebook_filepath number_of_classes optimizer_name optimizer_params overwrite_remote params path patience
    pre_execution_transformation predictions prepare_predictions_for_storage read_source_data remote_dir rescale
    return_best_model return_columns right_data_wrapper_name rotation_range sample_weight_mode samplewise_center
    samplewise_std_normalization save_best_only save_custom_label_metrics save_custom_metrics
    save_evaluation_session save_evaluation_session_artifacts save_formatted_config save_metrics save_model
    save_predictions save_session save_session_artifacts save_targets save_threshold_metrics save_weights_only seed
    session_id shear_range shuffle spark.app.name spark_config spark_session_params store_artifact_locally
    store_prediction_artifact_locally target_size target_tensors targets targets_columns temp_base_dir test
    test_params threshold_metric_names train_params transform_then_slice transform_to valid_params verbose
    verify_ssl_certificates vertical_flip weighted_metrics width_shift_range zca_epsilon zca_whitening zoom_range
"""
CODE = {word for code in re.findall(r"`+(.*?)`+", PAGE) for word in re.findall(r"[\w$]+(?:\.\w+)*", code)}
WORDS = {part for word in CODE for part in (word, *word.split("."))}


@pytest.mark.parametrize("name", [*NAMES.split(), *KEYS.split()])
def test_every_name_is_on_the_page(name: str) -> None:
    assert name in WORDS
