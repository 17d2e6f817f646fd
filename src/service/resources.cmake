# Resources as code and the service that keeps them; included by this folder's CMakeLists.txt.
set(FUNCGATE_RESOURCE_SOURCES
  apply/bundle.cpp apply/bundle_reader.cpp apply/document_kinds.cpp apply/events.cpp apply/export.cpp apply/export_identity.cpp
  apply/identity_draft.cpp apply/application_draft.cpp apply/plan_application.cpp
  apply/plan_identity.cpp apply/plan_secret_key.cpp admin/sealed_texts.cpp admin/resealing.cpp
  apply/member_changes.cpp apply/plan.cpp apply/plan_memory.cpp apply/plan_authentication.cpp
  apply/plan_functions.cpp apply/plan_script_set.cpp apply/result.cpp apply/schema_check.cpp apply/secrets.cpp apply/validate.cpp apply/yaml_reader.cpp
  apply/yaml_writer.cpp admin/audit_service.cpp admin/resource_service.cpp admin/scripts.cpp admin/password_renewer.cpp)
