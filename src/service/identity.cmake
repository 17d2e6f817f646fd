# Users, user groups, roles and API keys; included by this folder's CMakeLists.txt.
set(FUNCGATE_IDENTITY_SOURCES
  admin/api_key_status.cpp admin/api_keys.cpp admin/change_problem.cpp admin/explanations.cpp admin/identity_events.cpp
  admin/identity_references.cpp admin/identity_rules.cpp admin/secret_keys.cpp admin/secret_masking.cpp
  admin/identity_service.cpp admin/key_privilege_uses.cpp admin/keystore_events.cpp admin/applications.cpp admin/roles.cpp admin/user_groups.cpp
  admin/users.cpp explain_call.cpp authentication_trial.cpp admin/sessions.cpp admin/passwords.cpp admin/setup.cpp admin/sign_in_throttle.cpp)
