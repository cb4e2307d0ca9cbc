//! Events for other systems, in the CNCF's format.

use serde_json::{Map, Value};

use super::Event;

impl Event {
    /// The event as a [CloudEvent](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md) of version
    /// 1.0, as JSON in the structured mode: to be sent with the media type `application/cloudevents+json`.
    ///
    /// | attribute | value |
    /// |---|---|
    /// | `id` | the [dedup key](Self::dedup_key): the same for repeated deliveries, so `source` and `id` recognise them |
    /// | `source` | `SdkAppid`, in digits |
    /// | `type` | `com.tencent.desk.` and the name of the event |
    /// | `subject` | `SessionId`; absent for an event without a session |
    /// | `time` | `EventTime`; absent if it is not of the years 0 to 9999 |
    /// | `data` | the event, as it serialises |
    ///
    /// ```
    /// use tencent_desk_webhook::Event;
    ///
    /// let json = r#"{"SdkAppid":1400000000,"SessionId":"s-1","Event":"SessionBegin","EventTime":1725540020017}"#;
    /// let event: Event = serde_json::from_str(json)?;
    /// let cloud_event = event.to_cloudevent();
    /// assert_eq!(cloud_event["id"], event.dedup_key().to_string());
    /// assert_eq!(cloud_event["source"], "1400000000");
    /// assert_eq!(cloud_event["type"], "com.tencent.desk.SessionBegin");
    /// assert_eq!(cloud_event["subject"], "s-1");
    /// assert_eq!(cloud_event["time"], "2024-09-05T12:40:20.017Z");
    /// assert_eq!(serde_json::from_value::<Event>(cloud_event["data"].clone())?, event);
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn to_cloudevent(&self) -> Value {
        let attributes = [
            ("specversion", Some("1.0".to_owned())),
            ("id", Some(self.dedup_key().to_string())),
            ("source", Some(self.sdk_app_id.to_string())),
            ("type", Some(format!("com.tencent.desk.{}", self.name))),
            ("subject", Some(self.session_id.clone()).filter(|session| !session.is_empty())),
            ("time", rfc3339(self.time_millis())),
            ("datacontenttype", Some("application/json".to_owned())),
        ];
        let named = |(name, value): (&str, Option<String>)| Some((name.to_owned(), value?.into()));
        let mut event: Map<String, Value> = attributes.into_iter().filter_map(named).collect();
        // It consists of objects with text keys, strings and numbers, so it cannot fail.
        event.insert("data".to_owned(), serde_json::to_value(self).unwrap_or_default());
        event.into()
    }
}

const DAY: i64 = 24 * 60 * 60 * 1000;

/// UTC, to the millisecond. `None` outside of the years 0 to 9999.
fn rfc3339(millis: i64) -> Option<String> {
    let (year, month, day) = date(millis.div_euclid(DAY));
    let in_day = millis.rem_euclid(DAY);
    let (hour, minute) = (in_day / 3_600_000, in_day / 60_000 % 60);
    let (second, milli) = (in_day / 1000 % 60, in_day % 1000);
    (0..=9999)
        .contains(&year)
        .then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"))
}

/// Year, month and day of the Gregorian calendar, so many days after 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    // Counted from 0000-03-01, so that a leap day is the last one of its year. 400 years have 146,097 days.
    let days = days + 719_468;
    let (era, in_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    // Months from March on have 31, 30, 31, 30 and 31 days, twice.
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}
