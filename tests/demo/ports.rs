//! The three ports of the demo.

use std::io::ErrorKind;

use oxd_tests::Port;

/// Reserved, from before anything is started.
pub struct Ports {
    pub httpd: Port,
    pub oxd: Port,
    pub provider: Port,
}

impl Ports {
    /// Ports that nothing uses.
    pub fn free() -> Ports {
        Ports {
            httpd: Port::reserve(),
            oxd: Port::reserve(),
            provider: Port::reserve(),
        }
    }

    /// Those that somebody has chosen, or in one line why they cannot be had, by the name that they have
    /// for make.
    pub fn claim(httpd: &str, oxd: &str, provider: &str) -> Result<Ports, String> {
        let chosen = [("PORT", httpd), ("OXD_PORT", oxd), ("PROVIDER_PORT", provider)];
        let mut numbers = Vec::new();
        for (name, text) in chosen {
            numbers.push(number(name, text)?);
        }
        if numbers[0] == numbers[1] || numbers[0] == numbers[2] || numbers[1] == numbers[2] {
            return Err("PORT, OXD_PORT and PROVIDER_PORT must be three different ports".to_owned());
        }
        Ok(Ports {
            httpd: claim("PORT", numbers[0])?,
            oxd: claim("OXD_PORT", numbers[1])?,
            provider: claim("PROVIDER_PORT", numbers[2])?,
        })
    }
}

fn number(name: &str, text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits && number > 0 => Ok(number),
        _ => Err(format!("{name}={text}: a port is a number from 1 to 65535")),
    }
}

fn claim(name: &str, number: u16) -> Result<Port, String> {
    Port::claim(number).map_err(|why| match why.kind() {
        ErrorKind::AddrInUse => {
            let other = number.checked_add(10).unwrap_or(number - 10);
            format!("port {number} is in use: choose another, for example make demo {name}={other}")
        }
        ErrorKind::PermissionDenied => format!("{name}={number}: only root may use ports below 1024"),
        _ => format!("{name}={number}: {why}"),
    })
}
