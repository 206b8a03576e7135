//! Cutting a stream into messages.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use weir_ovsdb::{FrameError, FrameLimits, Framer};

fn framer() -> Framer {
    Framer::new(FrameLimits::default())
}

fn small() -> Framer {
    Framer::new(FrameLimits { message: 16, depth: 3 })
}

fn drain(framer: &mut Framer) -> Result<Vec<(u64, String)>, FrameError> {
    let mut frames = Vec::new();
    while let Some(frame) = framer.next_frame()? {
        frames.push((frame.offset, String::from_utf8_lossy(&frame.bytes).into_owned()));
    }
    Ok(frames)
}

fn all(framer: &mut Framer, bytes: &[u8]) -> Result<Vec<(u64, String)>, FrameError> {
    framer.push(bytes);
    drain(framer)
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        r#"[\\"{}\[\]]{0,6}"#.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec(("\\PC{0,6}", inner), 0..5).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_chunks_give_the_same_frames(
        values in vec((json_value(), "[ \t\r\n]{0,3}"), 1..6),
        cuts in vec(1_usize..40, 1..40),
    ) {
        let mut stream = String::new();
        let mut expected = Vec::new();
        for (value, space) in &values {
            stream.push_str(space);
            let text = json!({ "v": value }).to_string();
            expected.push((stream.len() as u64, text.clone()));
            stream.push_str(&text);
        }
        let mut framer = framer();
        let mut found = Vec::new();
        let mut rest = stream.as_bytes();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, later) = rest.split_at((*cut).min(rest.len()));
            found.extend(all(&mut framer, chunk).expect("well-formed"));
            rest = later;
        }
        prop_assert_eq!(found, expected);
        prop_assert_eq!(framer.looked_at(), stream.len() as u64);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_an_error_stays(bytes in vec(any::<u8>(), 0..200)) {
        let mut framer = framer();
        if let Err(error) = all(&mut framer, &bytes) {
            prop_assert_eq!(all(&mut framer, b"{}"), Err(error));
        }
        prop_assert!(framer.looked_at() <= bytes.len() as u64);
    }
}

#[test]
fn every_truncation_waits_for_more() {
    let message = r#"{"a\"}":["x\\",{"b":[1,-2.5e3,null,true,"}{"]}],"ü":{}}"#;
    for end in 0..message.len() {
        let mut framer = framer();
        assert_eq!(all(&mut framer, &message.as_bytes()[..end]), Ok(vec![]));
        let frames = all(&mut framer, &message.as_bytes()[end..]);
        assert_eq!(frames, Ok(vec![(0, message.to_owned())]));
    }
}

#[test]
fn faults_are_placed_in_the_whole_stream() {
    let not_an_object = |offset, found| Err(FrameError::NotAnObject { offset, found });
    assert_eq!(all(&mut framer(), b"GET / HTTP/1.1\r\n"), not_an_object(0, b'G'));
    assert_eq!(all(&mut framer(), b"[1]"), not_an_object(0, b'['));
    let mut two = framer();
    assert_eq!(all(&mut two, b"{}\n {").map(|frames| frames.len()), Ok(1));
    assert_eq!(all(&mut two, b"\"a\":[}"), Err(FrameError::Mismatched { offset: 10, found: b'}' }));
    assert_eq!(all(&mut framer(), b"{} }"), {
        let mut framer = framer();
        framer.push(b"{} }");
        let first = framer.next_frame().expect("an object").expect("complete");
        assert_eq!(first.bytes, "{}");
        framer.next_frame().map(|_| vec![])
    });
    assert_eq!(all(&mut small(), b" {\"a\":[{["), Err(FrameError::TooDeep { offset: 8, limit: 3 }));
    assert_eq!(all(&mut small(), b"  {\"a\":\"0123456789a"), Err(FrameError::TooLong { offset: 2, limit: 16 }));
    assert!(all(&mut small(), b"  {\"a\":\"01234567\"}").is_ok());
    assert_eq!(FrameError::NotAnObject { offset: 7, found: b'"' }.to_string(), "byte 7: expected '{', found '\"'");
}
