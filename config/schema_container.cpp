/// The tables of containers: config/reflect.hpp.
#include "config/pod/container.hpp"
#include "config/schema.hpp"

namespace tank::config::reflect {

// clang-format off
template <>
const type& type_of<exec_action>() {
  static const type t = detail::make_record("ExecAction", {
    row<&exec_action::command>("command"),
  });
  return t;
}

template <>
const type& type_of<http_header>() {
  static const type t = detail::make_record("HTTPHeader", {
    always<&http_header::name>("name"),
    always<&http_header::value>("value"),
  });
  return t;
}

template <>
const type& type_of<http_get_action>() {
  static const type t = detail::make_record("HTTPGetAction", {
    row<&http_get_action::path>("path"),
    always<&http_get_action::port>("port"),
    row<&http_get_action::host>("host"),
    row<&http_get_action::scheme>("scheme"),
    row<&http_get_action::http_headers>("httpHeaders"),
    row<&http_get_action::protocol>("protocol"),
  });
  return t;
}

template <>
const type& type_of<tcp_socket_action>() {
  static const type t = detail::make_record("TCPSocketAction", {
    always<&tcp_socket_action::port>("port"),
    row<&tcp_socket_action::host>("host"),
  });
  return t;
}

template <>
const type& type_of<grpc_action>() {
  static const type t = detail::make_record("GRPCAction", {
    always<&grpc_action::port>("port"),
    always<&grpc_action::service>("service"),
    row<&grpc_action::mode>("mode"),
  });
  return t;
}

template <>
const type& type_of<sleep_action>() {
  static const type t = detail::make_record("SleepAction", {
    always<&sleep_action::seconds>("seconds"),
  });
  return t;
}

template <>
const type& type_of<probe>() {
  static const type t = detail::make_record("Probe", {
    row<&probe::exec>("exec"),
    row<&probe::http_get>("httpGet"),
    row<&probe::tcp_socket>("tcpSocket"),
    row<&probe::grpc>("grpc"),
    row<&probe::initial_delay_seconds>("initialDelaySeconds"),
    row<&probe::timeout_seconds>("timeoutSeconds"),
    row<&probe::period_seconds>("periodSeconds"),
    row<&probe::success_threshold>("successThreshold"),
    row<&probe::failure_threshold>("failureThreshold"),
    row<&probe::termination_grace_period_seconds>("terminationGracePeriodSeconds"),
  });
  return t;
}

template <>
const type& type_of<lifecycle_handler>() {
  static const type t = detail::make_record("LifecycleHandler", {
    row<&lifecycle_handler::exec>("exec"),
    row<&lifecycle_handler::http_get>("httpGet"),
    row<&lifecycle_handler::tcp_socket>("tcpSocket"),
    row<&lifecycle_handler::sleep>("sleep"),
  });
  return t;
}

template <>
const type& type_of<lifecycle>() {
  static const type t = detail::make_record("Lifecycle", {
    row<&lifecycle::post_start>("postStart"),
    row<&lifecycle::pre_stop>("preStop"),
    row<&lifecycle::stop_signal>("stopSignal"),
  });
  return t;
}

template <>
const type& type_of<container_port>() {
  static const type t = detail::make_record("ContainerPort", {
    row<&container_port::name>("name"),
    row<&container_port::host_port>("hostPort"),
    always<&container_port::port>("containerPort"),
    row<&container_port::protocol>("protocol"),
    row<&container_port::host_ip>("hostIP"),
  });
  return t;
}

template <>
const type& type_of<config_map_env_source>() {
  static const type t = detail::make_record("ConfigMapEnvSource", {
    row<&config_map_env_source::name>("name"),
    row<&config_map_env_source::optional>("optional"),
  });
  return t;
}

template <>
const type& type_of<secret_env_source>() {
  static const type t = detail::make_record("SecretEnvSource", {
    row<&secret_env_source::name>("name"),
    row<&secret_env_source::optional>("optional"),
  });
  return t;
}

template <>
const type& type_of<env_from_source>() {
  static const type t = detail::make_record("EnvFromSource", {
    row<&env_from_source::prefix>("prefix"),
    row<&env_from_source::config_map_ref>("configMapRef"),
    row<&env_from_source::secret_ref>("secretRef"),
  });
  return t;
}

template <>
const type& type_of<object_field_selector>() {
  static const type t = detail::make_record("ObjectFieldSelector", {
    row<&object_field_selector::api_version>("apiVersion"),
    always<&object_field_selector::field_path>("fieldPath"),
  });
  return t;
}

template <>
const type& type_of<resource_field_selector>() {
  static const type t = detail::make_record("ResourceFieldSelector", {
    row<&resource_field_selector::container_name>("containerName"),
    always<&resource_field_selector::resource>("resource"),
    always<&resource_field_selector::divisor>("divisor"),
  });
  return t;
}

template <>
const type& type_of<config_map_key_selector>() {
  static const type t = detail::make_record("ConfigMapKeySelector", {
    row<&config_map_key_selector::name>("name"),
    always<&config_map_key_selector::key>("key"),
    row<&config_map_key_selector::optional>("optional"),
  });
  return t;
}

template <>
const type& type_of<secret_key_selector>() {
  static const type t = detail::make_record("SecretKeySelector", {
    row<&secret_key_selector::name>("name"),
    always<&secret_key_selector::key>("key"),
    row<&secret_key_selector::optional>("optional"),
  });
  return t;
}

template <>
const type& type_of<file_key_selector>() {
  static const type t = detail::make_record("FileKeySelector", {
    always<&file_key_selector::volume_name>("volumeName"),
    always<&file_key_selector::path>("path"),
    always<&file_key_selector::key>("key"),
    row<&file_key_selector::optional>("optional"),
  });
  return t;
}

template <>
const type& type_of<env_var_source>() {
  static const type t = detail::make_record("EnvVarSource", {
    row<&env_var_source::field_ref>("fieldRef"),
    row<&env_var_source::resource_field_ref>("resourceFieldRef"),
    row<&env_var_source::config_map_key_ref>("configMapKeyRef"),
    row<&env_var_source::secret_key_ref>("secretKeyRef"),
    row<&env_var_source::file_key_ref>("fileKeyRef"),
  });
  return t;
}

template <>
const type& type_of<env_var>() {
  static const type t = detail::make_record("EnvVar", {
    always<&env_var::name>("name"),
    row<&env_var::value>("value"),
    row<&env_var::value_from>("valueFrom"),
  });
  return t;
}

template <>
const type& type_of<container_resize_policy>() {
  static const type t = detail::make_record("ContainerResizePolicy", {
    always<&container_resize_policy::resource_name>("resourceName"),
    always<&container_resize_policy::restart_policy>("restartPolicy"),
  });
  return t;
}

template <>
const type& type_of<container_restart_rule_on_exit_codes>() {
  static const type t = detail::make_record("ContainerRestartRuleOnExitCodes", {
    row<&container_restart_rule_on_exit_codes::op>("operator"),
    row<&container_restart_rule_on_exit_codes::values>("values"),
  });
  return t;
}

template <>
const type& type_of<container_restart_rule>() {
  static const type t = detail::make_record("ContainerRestartRule", {
    row<&container_restart_rule::action>("action"),
    row<&container_restart_rule::exit_codes>("exitCodes"),
  });
  return t;
}

template <>
const type& type_of<volume_mount>() {
  static const type t = detail::make_record("VolumeMount", {
    always<&volume_mount::name>("name"),
    row<&volume_mount::read_only>("readOnly"),
    row<&volume_mount::recursive_read_only>("recursiveReadOnly"),
    always<&volume_mount::mount_path>("mountPath"),
    row<&volume_mount::sub_path>("subPath"),
    row<&volume_mount::mount_propagation>("mountPropagation"),
    row<&volume_mount::sub_path_expr>("subPathExpr"),
    row<&volume_mount::bind_mount_options>("bindMountOptions"),
  });
  return t;
}

template <>
const type& type_of<volume_device>() {
  static const type t = detail::make_record("VolumeDevice", {
    always<&volume_device::name>("name"),
    always<&volume_device::device_path>("devicePath"),
  });
  return t;
}

template <>
const type& type_of<container>() {
  static const type t = detail::make_record("Container", {
    always<&container::name>("name"),
    row<&container::image>("image"),
    row<&container::command>("command"),
    row<&container::args>("args"),
    row<&container::working_dir>("workingDir"),
    row<&container::ports>("ports"),
    row<&container::env_from>("envFrom"),
    row<&container::env>("env"),
    always<&container::resources>("resources"),
    row<&container::resize_policy>("resizePolicy"),
    row<&container::restart_policy>("restartPolicy"),
    row<&container::restart_policy_rules>("restartPolicyRules"),
    row<&container::volume_mounts>("volumeMounts"),
    row<&container::volume_devices>("volumeDevices"),
    row<&container::liveness_probe>("livenessProbe"),
    row<&container::readiness_probe>("readinessProbe"),
    row<&container::startup_probe>("startupProbe"),
    row<&container::lifecycle>("lifecycle"),
    row<&container::termination_message_path>("terminationMessagePath"),
    row<&container::termination_message_policy>("terminationMessagePolicy"),
    row<&container::image_pull_policy>("imagePullPolicy"),
    row<&container::security_context>("securityContext"),
    row<&container::open_stdin>("stdin"),
    row<&container::stdin_once>("stdinOnce"),
    row<&container::tty>("tty"),
  });
  return t;
}

template <>
const type& type_of<ephemeral_container>() {
  static const type t = detail::make_record("EphemeralContainer", {
    inlined<&ephemeral_container::common>(),
    row<&ephemeral_container::target_container_name>("targetContainerName"),
  });
  return t;
}

// clang-format on

} // namespace tank::config::reflect
