//! Stage 2: checks the app, the time and the signature.
//!
//! `Sign` is the hex of SHA-256(token ‖ `RequestTime`) (the vendor's page on callback configuration, product 269,
//! document 32431). It covers neither the body nor the other parameters: see the crate's front page for what follows.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use subtle::Choice;

use super::{query::Query, refusal::Refusal, token::Token};

/// Decides whose deliveries are let in.
///
/// ```
/// use tencent_desk_webhook::Verifier;
///
/// let verifier = Verifier::signed(1_400_000_000, "the IM console's token")
///     .also_accept("the token before it") // while the token is being changed
///     .app(1_400_000_001, "another app's token");
/// assert!(!format!("{verifier:?}").contains("token before"));
/// ```
#[derive(Clone)]
pub struct Verifier {
    apps: Vec<App>,
    window: Duration,
    clock: Option<Arc<dyn Fn() -> SystemTime + Send + Sync>>,
}

impl Verifier {
    /// Lets in what is for `sdk_app_id` and signed with `token`: the one that stands in the console beside the callback
    /// URL (回调鉴权).
    ///
    /// # Panics
    ///
    /// When `token` is given as text that is blank or has white space around it: anyone can sign with an empty token. [`Token::new`] says so with an
    /// error instead.
    #[must_use]
    pub fn signed(sdk_app_id: u64, token: impl Into<Token>) -> Self {
        Self::of(App { id: sdk_app_id, policy: Policy::Signed(vec![token.into()]) })
    }

    /// Lets in whatever names `sdk_app_id`, signed or not: for an endpoint that something else protects, and for trying
    /// things out. `Sign` and `RequestTime` are ignored.
    #[must_use]
    pub fn dangerous_unsigned(sdk_app_id: u64) -> Self {
        Self::of(App { id: sdk_app_id, policy: Policy::Unsigned { decisions: false } })
    }

    fn of(app: App) -> Self {
        Self { apps: vec![app], window: Duration::from_secs(60), clock: None }
    }

    /// Allows decisions for the app that was named last, which is unsigned. Anyone who can reach the URL can then read what a
    /// [`Responder`](crate::decision::Responder) answers, customers' data included.
    ///
    /// # Panics
    ///
    /// When that app is signed: it needs no permission.
    #[must_use]
    pub fn dangerous_unsigned_decisions(mut self) -> Self {
        match self.apps.last_mut().map(|app| &mut app.policy) {
            Some(Policy::Unsigned { decisions }) => *decisions = true,
            _ => panic!("dangerous_unsigned_decisions is for an unsigned app, and this app is signed"),
        }
        self
    }

    /// Also accepts `token` for the app that was named last: the old one, while the console's is being changed.
    ///
    /// # Panics
    ///
    /// When that app is unsigned, and when `token` is text that is blank or has white space around it.
    #[must_use]
    pub fn also_accept(mut self, token: impl Into<Token>) -> Self {
        match self.apps.last_mut().map(|app| &mut app.policy) {
            Some(Policy::Signed(tokens)) => tokens.push(token.into()),
            _ => panic!("also_accept adds a token to a signed app, and this app is unsigned"),
        }
        self
    }

    /// Lets another app in as well, signed with a token of its own. One that was named before gets this token, too.
    ///
    /// # Panics
    ///
    /// When `token` is text that is blank or has white space around it, and when that app was let in unsigned before.
    #[must_use]
    pub fn app(mut self, sdk_app_id: u64, token: impl Into<Token>) -> Self {
        if let Some(known) = self.apps.iter().position(|app| app.id == sdk_app_id) {
            let known = self.apps.remove(known);
            self.apps.push(known);
            return self.also_accept(token);
        }
        self.apps.push(App { id: sdk_app_id, policy: Policy::Signed(vec![token.into()]) });
        self
    }

    /// How far `RequestTime` may be from the clock, either way and inclusive, in whole seconds. Default: 60 s, the
    /// vendor's advice (product 269, document 32431).
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Asks `clock` for the time instead of the system: for tests. It is called while a request is verified; where it
    /// panics, so does `handle`.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Makes `token` the newest of the app that was named last, and keeps only the one before it.
    pub(super) fn rotate(&mut self, token: Token) {
        let Some(Policy::Signed(tokens)) = self.apps.last_mut().map(|app| &mut app.policy) else {
            panic!("rotate replaces the token of a signed app, and this app is unsigned");
        };
        if !tokens.first().is_some_and(|newest| newest.is_same(&token)) {
            tokens.truncate(1);
            tokens.insert(0, token);
        }
    }

    pub(super) fn verify(&self, query: &Query<'_>) -> Result<Trust, Refusal> {
        let Some(sdk_app_id) = query.app else {
            return self.verify_probe(query);
        };
        let claimed = Some(sdk_app_id);
        let app = self.apps.iter().find(|app| app.id == sdk_app_id).ok_or(Refusal::ForeignApp { claimed })?;
        self.authenticate(app, query)
    }

    /// The console's URL check may have no `SdkAppid`. It has to be signed for one of the apps. Under an unsigned app it may
    /// have no command either.
    fn verify_probe(&self, query: &Query<'_>) -> Result<Trust, Refusal> {
        let may_probe = |app: &&App| app.policy.is_signed() || query.command.is_none();
        let mut apps = self.apps.iter().filter(may_probe);
        apps.find_map(|app| self.authenticate(app, query).ok()).ok_or(Refusal::ForeignApp { claimed: None })
    }

    fn authenticate(&self, app: &App, query: &Query<'_>) -> Result<Trust, Refusal> {
        let tokens = match &app.policy {
            Policy::Signed(tokens) => tokens,
            Policy::Unsigned { decisions } => return Ok(Trust::Unsigned { decisions: *decisions }),
        };
        let (Some(sign), Some(request_time)) = (&query.sign, &query.request_time) else {
            return Err(Refusal::Unsigned);
        };
        self.check_fresh(request_time)?;
        let received = decode_sign(sign).ok_or(Refusal::WrongSignature)?;
        // Every live token is compared completely, so the time does not reveal how close a guess is.
        let matches = tokens
            .iter()
            .fold(Choice::from(0), |matches, token| matches | token.signed(request_time, &received));
        if bool::from(matches) { Ok(Trust::Signed) } else { Err(Refusal::WrongSignature) }
    }

    fn check_fresh(&self, request_time: &str) -> Result<(), Refusal> {
        let request_time = seconds(request_time).ok_or(Refusal::MalformedTime)?;
        let now = self.clock.as_ref().map_or_else(SystemTime::now, |clock| clock());
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if now.abs_diff(request_time) <= self.window.as_secs() {
            return Ok(());
        }
        Err(Refusal::Stale { skew: request_time.cast_signed().saturating_sub_unsigned(now) })
    }
}

/// Shows which apps are let in, and how many tokens each has.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("apps", &self.apps)
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

/// Why a query is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// It is signed with a token of its app.
    Signed,
    /// Its app is let in unsigned.
    Unsigned { decisions: bool },
}

impl Trust {
    pub(super) fn allows_decisions(self) -> bool {
        matches!(self, Self::Signed | Self::Unsigned { decisions: true })
    }
}

#[derive(Clone, Debug)]
struct App {
    id: u64,
    policy: Policy,
}

#[derive(Clone, Debug)]
enum Policy {
    Signed(Vec<Token>),
    Unsigned { decisions: bool },
}

impl Policy {
    fn is_signed(&self) -> bool {
        matches!(self, Self::Signed(_))
    }
}

/// 1 to 11 digits. `u64::from_str` would also take a plus sign.
fn seconds(digits: &str) -> Option<u64> {
    if !(1..=11).contains(&digits.len()) {
        return None;
    }
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    digits.bytes().try_fold(0, |seconds, byte| Some(seconds * 10 + digit(byte)?))
}

/// In either case of hex.
fn decode_sign(hex: &str) -> Option<[u8; 32]> {
    let mut sign = [0; 32];
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if pairs.len() != sign.len() || !rest.is_empty() {
        return None;
    }
    let mut all = 0;
    for (byte, [high, low]) in sign.iter_mut().zip(pairs) {
        let (high, low) = (DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]);
        *byte = high << 4 | low & 0xF;
        all |= high | low;
    }
    (all <= 0xF).then_some(sign)
}

/// What each byte is worth as a hexadecimal digit. One that is none is worth more than any.
const DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let mut digit = 0;
    while digit < 16 {
        digits[b"0123456789abcdef"[digit] as usize] = digit as u8;
        digits[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};
