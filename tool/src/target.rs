//! Where deliveries go.

use std::str::FromStr;

use http::Uri;

/// A callback URL, to which the sender appends its query.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    base: Uri,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let base: Uri = url.parse().map_err(|error| format!("it is no URL: {error}"))?;
        match (base.scheme_str(), base.authority()) {
            (Some("http" | "https"), Some(_)) => Ok(Self { base }),
            _ => Err("it has to begin with http:// or https://".to_owned()),
        }
    }
}

impl Target {
    pub(crate) fn is_tls(&self) -> bool {
        self.base.scheme_str() == Some("https")
    }

    /// Scheme, host and port: for messages.
    pub(crate) fn place(&self) -> String {
        let authority = self.base.authority().map_or("", |authority| authority.as_str());
        // Without a password in front of the host.
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        format!("{}://{host}", self.base.scheme_str().unwrap_or_default())
    }

    /// The URL with the sender's query behind it.
    pub(crate) fn with_query(&self, query: &str) -> Result<Uri, String> {
        let path = self.base.path();
        let own =
            self.base.query().filter(|own| !own.is_empty()).map(|own| format!("{own}&")).unwrap_or_default();
        let mut parts = self.base.clone().into_parts();
        let joined = format!("{path}?{own}{query}");
        parts.path_and_query = Some(joined.parse().map_err(|error| format!("no URL can be made: {error}"))?);
        Uri::from_parts(parts).map_err(|error| format!("no URL can be made: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_goes_behind_the_urls_own() {
        let uri = |url: &str| url.parse::<Target>().unwrap().with_query("a=1").unwrap().to_string();
        assert_eq!(uri("http://h:1/cb"), "http://h:1/cb?a=1");
        assert_eq!(uri("https://h"), "https://h/?a=1");
        assert_eq!(uri("http://h/cb?x=y"), "http://h/cb?x=y&a=1");
        assert!("h/cb".parse::<Target>().is_err());
        assert!("ftp://h/cb".parse::<Target>().is_err());
    }
}
