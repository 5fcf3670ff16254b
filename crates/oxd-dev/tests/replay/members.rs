//! Members of answers: which are the provider's own, and lists of objects.

use serde_json::Value;

/// Whether two lists of objects have the same members, in these the same lists.
pub fn same_lists(recorded: &[Value], actual: &[Value], name: &str, different: &mut Vec<String>) {
    let shape = |list: &[Value]| -> Vec<Value> {
        let mut list = list.to_vec();
        for member in list.iter_mut().filter_map(Value::as_object_mut) {
            for value in member.values_mut().filter(|value| !value.is_array()) {
                *value = Value::Null;
            }
        }
        list
    };
    let (recorded, actual) = (shape(recorded), shape(actual));
    if recorded != actual {
        different.push(format!("{name}: {recorded:?} -> {actual:?}"));
    }
}

/// Members that say what the provider and its user are, not what oxd is; and, in `get-rp`, tokens of earlier calls.
pub fn of_the_provider(member: &str) -> bool {
    const CLAIMS: [&str; 28] = [
        "sub",
        "groups",
        "pi",
        "big",
        "empty",
        "emptylist",
        "quote",
        "name",
        "family_name",
        "given_name",
        "birthdate",
        "updated_at",
        "email",
        "email_verified",
        "locale",
        "zoneinfo",
        "preferred_username",
        "user_name",
        "phone_number",
        "phone_number_verified",
        "address",
        "username",
        "id_token",
        "oauth_token",
        "access_token",
        "oauth_token_created_at",
        "oauth_token_expires_in",
        "client_secret_expires_at",
    ];
    CLAIMS.contains(&member) || member.ends_with("supported") || member.ends_with("Supported")
}
