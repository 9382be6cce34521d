//! The whole engine on the real starter models: over its socket, as the portal and the SDKs meet it.

use banyan_inference::serve;
use banyan_openai::{
    ChatMessage, ChatRequest, Client, ClientError, EmbeddingRequest, EncodingFormat, FinishReason,
    HealthStatus, Input, Role, Sampling, Stop,
};
use futures_util::StreamExt as _;
use std::time::{Duration, Instant};
use tokio::net::UnixListener;

/// A served engine; ends with the value.
pub(crate) struct Box {
    pub(crate) client: Client,
    _dir: tempfile::TempDir,
}

pub(crate) async fn start() -> Box {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("infer.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    tokio::spawn(serve(crate::common::config(), listener, std::future::pending()));
    let client = Client::new(&socket);
    let began = Instant::now();
    loop {
        let health = client.health().await.unwrap();
        match health.status {
            HealthStatus::Ready => return Box { client, _dir: dir },
            HealthStatus::Failed => panic!("{:?}", health.reason),
            HealthStatus::Loading => assert!(began.elapsed() < Duration::from_secs(60), "it loads for ever"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn ask(question: &str, max_tokens: u32) -> ChatRequest {
    ChatRequest {
        sampling: Sampling { temperature: Some(0.0), max_tokens: Some(max_tokens), ..Sampling::default() },
        ..ChatRequest::new(vec![ChatMessage::new(Role::User, question)])
    }
}

/// The text, the pieces, and why it ended.
async fn stream(client: &Client, request: ChatRequest) -> (String, usize, Option<FinishReason>) {
    let mut stream = client.chat_stream(&request.streamed()).await.unwrap();
    let (mut text, mut pieces, mut finish) = (String::new(), 0, None);
    while let Some(chunk) = stream.next().await {
        for choice in chunk.unwrap().choices {
            pieces += usize::from(choice.delta.content.as_ref().is_some_and(|c| !c.is_empty()));
            text.push_str(&choice.delta.content.unwrap_or_default());
            finish = choice.finish_reason.or(finish);
        }
    }
    (text, pieces, finish)
}

async fn wait_until_idle(client: &Client) -> Duration {
    let began = Instant::now();
    while client.health().await.unwrap().running > 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "the engine still computes for nobody");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_by_the_real_model_token_by_token() {
    let engine = start().await;
    let (text, pieces, finish) = stream(&engine.client, ask("What is water?", 40)).await;
    println!("{text:?} in {pieces} pieces");
    assert!(text.to_lowercase().contains("water"), "{text}");
    assert!(pieces >= 3, "it streams");
    assert_eq!(finish, Some(FinishReason::Length));
    let whole = engine.client.chat(&ask("What is water?", 40)).await.unwrap();
    assert!(whole.choices[0].message.content.as_ref().unwrap().to_lowercase().contains("water"));
    let usage = whole.usage.unwrap();
    assert!(usage.prompt_tokens > 10 && usage.completion_tokens > 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_members_than_slots_are_all_answered_at_the_same_time() {
    let engine = start().await;
    let questions =
        ["Name a colour.", "What is water?", "Say hello.", "Count to five.", "What is a tree?", "Why?"];
    let answers = questions.map(|question| {
        let client = engine.client.clone();
        let request = ask(question, 12);
        tokio::spawn(async move { stream(&client, request).await })
    });
    for (question, answer) in questions.iter().zip(answers) {
        let (text, _, finish) = answer.await.unwrap();
        println!("{question} -> {text:?}");
        assert!(!text.trim().is_empty() && finish.is_some(), "{question}");
    }
    wait_until_idle(&engine.client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_answer_frees_its_slot_at_once() {
    let engine = start().await;
    let mut answer =
        engine.client.chat_stream(&ask("Tell me a very long story.", 400).streamed()).await.unwrap();
    for _ in 0..3 {
        answer.next().await.unwrap().unwrap();
    }
    assert_eq!(engine.client.health().await.unwrap().running, 1);
    drop(answer);
    let took = wait_until_idle(&engine.client).await;
    println!("the slot was free after {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_texts_lengths_and_seeds_are_kept() {
    let engine = start().await;
    let mut request = ask("Repeat exactly: one two three four", 30);
    let (free, ..) = stream(&engine.client, request.clone()).await;
    let word = free.split(' ').nth(1).unwrap().to_owned();
    request.sampling.stop = Some(Stop::One(word.clone()));
    let (cut, _, finish) = stream(&engine.client, request).await;
    assert_eq!((cut.as_str(), finish), (&free[..free.find(&word).unwrap()], Some(FinishReason::Stop)));
    let (short, _, finish) = stream(&engine.client, ask("Tell me a story.", 5)).await;
    assert!(finish == Some(FinishReason::Length) && short.split(' ').count() <= 6, "{short}");
    let mut seeded = ask("Tell me a story.", 16);
    seeded.sampling.temperature = Some(1.2);
    seeded.sampling.seed = Some(5);
    let (first, ..) = stream(&engine.client, seeded.clone()).await;
    assert_eq!(first, stream(&engine.client, seeded.clone()).await.0, "the same seed, the same answer");
    seeded.sampling.seed = Some(6);
    assert_ne!(first, stream(&engine.client, seeded).await.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn characters_of_several_tokens_arrive_whole() {
    let engine = start().await;
    let (text, ..) = stream(&engine.client, ask("Repeat this exactly: 🌳🍎 日本語 Grüße", 24)).await;
    println!("{text:?}");
    assert!(!text.contains('\u{FFFD}'), "{text:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_beyond_the_context_is_refused_in_words() {
    let engine = start().await;
    let refused = engine.client.chat(&ask(&"word ".repeat(600), 10)).await.unwrap_err();
    let ClientError::Refused(error) = refused else { panic!("{refused:?}") };
    assert_eq!(error.code(), "context_length_exceeded");
    assert!(error.detail.message.contains("shorten the question"), "{}", error.detail.message);
    let words = |n: usize| ask(&"word ".repeat(n), 100);
    let frame = engine.client.chat(&words(100)).await.unwrap().usage.unwrap().prompt_tokens as usize - 100;
    let nearly = engine.client.chat(&words(512 - frame - 3)).await.unwrap().usage.unwrap();
    assert_eq!(nearly.prompt_tokens, 509);
    assert!((1..=4).contains(&nearly.completion_tokens), "the row's end is an end, not an error: {nearly:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_of_like_texts_are_near_and_of_unlike_ones_far() {
    let engine = start().await;
    let embed = async |input: Input, format: Option<EncodingFormat>| {
        let request = EmbeddingRequest {
            model: String::new(),
            input,
            encoding_format: format,
            dimensions: None,
            user: None,
        };
        let response = engine.client.embeddings(&request).await.unwrap();
        response.data.into_iter().map(|e| e.embedding.into_floats().unwrap()).collect::<Vec<_>>()
    };
    let texts =
        ["A man is eating food.", "A man is eating a piece of bread.", "The quarterly revenue rose.", "x"];
    let texts = Input::Texts(texts.map(str::to_owned).to_vec());
    let vectors = embed(texts.clone(), None).await;
    let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    assert_eq!(vectors[0].len(), 384);
    assert!((cosine(&vectors[0], &vectors[0]) - 1.0).abs() < 1e-3, "vectors have length one");
    let (near, far) = (cosine(&vectors[0], &vectors[1]), cosine(&vectors[0], &vectors[2]));
    println!("near {near:.3}, far {far:.3}");
    assert!(near > 0.65 && far < 0.3, "{near} {far}");
    assert_eq!(embed(texts, Some(EncodingFormat::Base64)).await, vectors);
    let single = embed(Input::Text("A man is eating food.".into()), None).await;
    assert!(cosine(&single[0], &vectors[0]) > 0.999, "a batch changes nothing");
    let long = embed(Input::Text("bread ".repeat(3000)), None).await;
    assert_eq!(long[0].len(), 384, "a long text is cut, not refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn providers_are_reported_as_they_were_found() {
    let engine = start().await;
    let health = engine.client.health().await.unwrap();
    println!("{:#?}", health.providers);
    let names: Vec<&str> = health.providers.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["cuda", "sundial", "cpu"]);
    assert!(health.providers[2].tried && health.providers[2].works);
    assert!(!health.providers[1].tried && !health.providers[1].works);
    assert!(health.providers.iter().all(|p| !p.detail.is_empty()));
    assert_eq!(health.model.as_deref(), Some(crate::common::CHAT));
    assert_eq!(health.embedding_model.as_deref(), Some(crate::common::EMBEDDING));
    assert_eq!((health.context_length, health.slots), (512, 3));
}
