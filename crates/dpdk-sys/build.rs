//! Generates the bindings from the system's DPDK headers and compiles the shim for its static inline functions.
//!
//! `pkg-config` is run by hand: its crate drops `-include rte_config.h` and `-march`, without which the headers do not
//! parse. Works with DPDK 22.11 and 24.11; no generated code is kept in the repository.

use std::env;
use std::path::PathBuf;
use std::process::{Command, exit};

/// The libraries that the bound functions live in; drivers are plugins that the EAL loads itself.
const LIBRARIES: &[&str] =
    &["rte_eal", "rte_log", "rte_ethdev", "rte_mbuf", "rte_mempool", "rte_ring", "rte_acl", "rte_net"];

const FUNCTIONS: &[&str] = &[
    "fb_.*",
    "rte_acl_(create|free|add_rules|build|classify|find_existing|reset|reset_rules)",
    "rte_dev_name",
    "rte_eal_(cleanup|hotplug_add|hotplug_remove|init|remote_launch|wait_lcore)",
    "rte_eth_(dev_adjust_nb_rx_tx_desc|dev_close|dev_configure|dev_get_name_by_port|dev_get_port_by_name)",
    "rte_eth_(dev_info_get|dev_rss_reta_update|dev_socket_id|dev_start|dev_stop|link_get_nowait)",
    "rte_eth_(promiscuous_enable|promiscuous_get|rx_queue_setup|stats_get|tx_queue_setup)",
    "rte_free",
    "rte_get_(main_lcore|next_lcore|tsc_hz)",
    "rte_lcore_(count|to_cpu_id)",
    "rte_log_set_global_level",
    "rte_mbuf_dynflag_lookup",
    "rte_mbuf_dynfield_lookup",
    "rte_mempool_(avail_count|free|obj_iter)",
    "rte_openlog_stream",
    "rte_pktmbuf_(free_bulk|pool_create)",
    "rte_ring_(create|free)",
    "rte_strerror",
    "rte_version",
];

const TYPES: &[&str] =
    &["rte_acl_.*", "rte_eth_(conf|dev_info|link|stats|rss_reta_entry64)", "rte_(mbuf|mempool|ring)"];

const CONSTANTS: &[&str] =
    &["FB_.*", "RTE_ACL_.*", "RTE_ETH_NAME_MAX_LEN", "RTE_MAX_LCORE", "RTE_PKTMBUF_HEADROOM"];

/// What `pkg-config` prints for libdpdk with `arguments`, split at white space.
fn pkg_config(arguments: &[&str]) -> Vec<String> {
    let output = Command::new(env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".into()))
        .args(arguments)
        .arg("libdpdk")
        .output();
    match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect()
        }
        _ => {
            eprintln!(
                "pkg-config does not find libdpdk; install it (Debian, Ubuntu: apt-get install libdpdk-dev pkg-config \
                 libclang-dev) or point PKG_CONFIG_PATH at libdpdk.pc"
            );
            exit(1);
        }
    }
}

fn main() {
    for input in ["wrapper.h", "shim.c"] {
        println!("cargo::rerun-if-changed={input}");
    }
    for variable in ["PKG_CONFIG", "PKG_CONFIG_PATH", "PKG_CONFIG_SYSROOT_DIR"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }

    let version = pkg_config(&["--modversion"]).concat();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if (major, minor) < (22, 11) {
        eprintln!("DPDK {version} is too old; Forebay needs 22.11 or 24.11 (both long-term releases)");
        exit(1);
    }

    let flags = pkg_config(&["--cflags"]);
    let libdir = pkg_config(&["--variable=libdir"]).concat();
    println!("cargo::rustc-link-search=native={libdir}");
    for library in LIBRARIES {
        // librte_log became a library of its own in 23.11.
        if *library != "rte_log" || (major, minor) >= (23, 11) {
            println!("cargo::rustc-link-lib=dylib={library}");
        }
    }

    let mut shim = cc::Build::new();
    for flag in &flags {
        shim.flag(flag);
    }
    shim.file("shim.c").opt_level(3).std("c11").flag("-D_GNU_SOURCE").compile("forebay_dpdk_shim");

    let mut builder = bindgen::Builder::default()
        .header("wrapper.h")
        .clang_args(&flags)
        .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()))
        .use_core()
        .layout_tests(true)
        .derive_default(true)
        .generate_comments(false)
        .default_enum_style(bindgen::EnumVariation::Consts)
        .prepend_enum_name(false)
        // Fields of these are reached by the FB_MBUF_* offsets (the anonymous unions differ between releases).
        .opaque_type("rte_mbuf|rte_mempool|rte_ring");
    for function in FUNCTIONS {
        builder = builder.allowlist_function(function);
    }
    for kind in TYPES {
        builder = builder.allowlist_type(kind);
    }
    for constant in CONSTANTS {
        builder = builder.allowlist_var(constant);
    }
    let out = PathBuf::from(env::var("OUT_DIR").unwrap_or_default()).join("bindings.rs");
    match builder.generate() {
        Ok(bindings) => {
            if let Err(error) = bindings.write_to_file(&out) {
                eprintln!("cannot write {}: {error}", out.display());
                exit(1);
            }
        }
        Err(error) => {
            eprintln!("bindgen cannot read DPDK {version}'s headers: {error}");
            exit(1);
        }
    }
}
