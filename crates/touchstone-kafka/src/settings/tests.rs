use super::*;

fn error(text: &str) -> String {
    Settings::from_toml(text).unwrap_err().to_string()
}

#[test]
fn an_empty_file_is_all_defaults_and_has_no_kafka() {
    let settings = Settings::from_toml("").unwrap();
    assert_eq!(settings.limits, Limits::default());
    assert_eq!(settings.topics, TopicNames::default());
    assert!(error_of(settings.kafka()).starts_with("kafka.bootstrap_servers is not set"));
}

fn error_of<T>(result: Result<T, SettingsError>) -> String {
    result.err().map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn errors_name_key_value_and_remedy() {
    let kafka = "[kafka]\nbootstrap_servers = \"k:1\"\n";
    let table = [
        ("[limits]\nmax_listing_bytes = 1023", "limits.max_listing_bytes = 1023: must be 1024 to 67108864"),
        ("[limits]\ndead_letter_limit = 10001", "limits.dead_letter_limit = 10001: must be 0 to 10000"),
        ("[limits]\nsweep_per_second = 0", "limits.sweep_per_second = 0: must be 1 to 100000"),
        ("[state]\nmax_partition_bytes = 1", "state.max_partition_bytes = 1: must be 65536"),
        ("[photos]\nrecheck_after_s = [518401]", "photos.recheck_after_s = [518401]: must have at most 20"),
        ("[photos]\ndeadline_ms = 0", "photos.deadline_ms = 0: must be 1 to 60000"),
        ("[photos]\ntest_origins = [\"http://10.0.0.1:80\"]", "photos.test_origins = \"http://10.0.0.1:80\""),
        ("[photos]\nallow_ports = []", "photos.allow_ports = []: must name at least one port"),
        (
            "[photos]\nallow_ports = [443, 0]",
            "photos.allow_ports = [443, 0]: must name at least one port, and none is 0",
        ),
        ("[topics]\nreview = \"listings\"", "topics.review = \"listings\": is also topics.listings"),
        ("[topics]\nreview = \"a b\"", "topics.review = \"a b\": a topic name has"),
        ("[kafka]\nbootstrap_servers = \" \"", "kafka.bootstrap_servers = \"\": must not be empty"),
    ];
    for (text, start) in table {
        assert!(error(text).starts_with(start), "{text}: {}", error(text));
    }
    let owned = error(&format!("{kafka}properties = {{ \"acks\" = 1 }}"));
    assert!(owned.starts_with("kafka.properties.\"acks\" = \"1\": cannot be set here"), "{owned}");
    assert!(error("[limits]\nthreads = -1").contains("threads = -1"));
    assert!(error("[http]\nlisten = \"nowhere\"").contains("nowhere"));
    assert!(error("[kafka]\ngroup_id = \"g\"").contains("bootstrap_servers"));
}

#[test]
fn boundary_values_are_accepted() {
    for text in [
        "[limits]\nmax_listing_bytes = 1024\ndead_letter_limit = 10000\nthreads = 0",
        "[limits]\nmax_listing_bytes = 67108864\ndead_letter_limit = 0",
        "[photos]\ndeadline_ms = 1",
        "[photos]\nallow_ports = [1, 65535]",
        "[photos]\ndeadline_ms = 60000\ntest_origins = [\"http://127.0.0.1:8080\"]",
    ] {
        Settings::from_toml(text).unwrap();
    }
}

#[test]
fn ports_and_networks_reach_the_fetcher() {
    let text = "[photos]\nallow_ports = [443, 8443]\ndeny_hosts = [\"203.0.113.0/24\"]";
    let fetch = Settings::from_toml(text).unwrap().photos.fetch_settings();
    assert_eq!((fetch.allow_ports, fetch.deny_hosts), (vec![443, 8443], vec!["203.0.113.0/24".to_owned()]));
    assert_eq!(Settings::default().photos.fetch_settings().allow_ports, [443]);
}

#[test]
fn unknown_keys_are_errors_in_every_table() {
    for table in
        ["", "[kafka]\nbootstrap_servers = \"k\"\n", "[topics]\n", "[http]\n", "[photos]\n", "[models]\n"]
            .into_iter()
            .chain(["[policy]\n", "[lexicon]\n", "[limits]\n"])
    {
        let message = error(&format!("{table}mistyped = 1"));
        assert!(message.contains("unknown field `mistyped`"), "{table}: {message}");
    }
}

#[cfg(not(feature = "tls"))]
#[test]
fn tls_and_sasl_without_the_feature_are_errors_that_say_so_and_keep_secrets() {
    for property in [
        "\"security.protocol\" = \"SASL_SSL\"",
        "\"ssl.ca.location\" = \"ca.pem\"",
        "\"sasl.password\" = \"hush\"",
    ] {
        let message = error(&format!("[kafka]\nbootstrap_servers = \"k:1\"\nproperties = {{ {property} }}"));
        assert!(message.contains("--features tls"), "{message}");
        assert!(!message.contains("hush"), "{message}");
    }
    let plain =
        "[kafka]\nbootstrap_servers = \"k:1\"\nproperties = { \"security.protocol\" = \"plaintext\" }";
    Settings::from_toml(plain).unwrap();
}

#[test]
fn the_shipped_file_is_valid_and_says_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/worker.toml");
    let settings = Settings::load(&path).unwrap();
    assert_eq!(settings.limits, Limits::default());
    assert_eq!(settings.topics, TopicNames::default());
    assert_eq!(settings.photos.deadline_ms, PhotoSettings::default().deadline_ms);
    assert_eq!(settings.photos.max_fetches, PhotoSettings::default().max_fetches);
    assert_eq!(settings.photos.allow_ports, PhotoSettings::default().allow_ports);
    assert_eq!(settings.kafka().unwrap().group_id, default_group());
}
