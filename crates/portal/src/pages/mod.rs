//! Pages written by the server: they work on any phone with a browser, without JavaScript.
//!
//! Templates escape everything that they are given; the only HTML that passes is what [`text`] made of a text.

pub(crate) mod account;
pub(crate) mod answer;
pub(crate) mod chat;
pub(crate) mod conversation;
pub(crate) mod failure;
mod passages;
pub(crate) mod policy;
pub(crate) mod refused;
pub(crate) mod status;
pub(crate) mod text;
pub(crate) mod why;

use axum::response::{Html, IntoResponse, Response};
use banyan_assembly::Assembly;
use http::StatusCode;
use minijinja::value::merge_maps;
use minijinja::{Environment, State, Value, context};

use crate::assets::Assets;
use crate::language::Language;
use crate::visit::Visit;

const TEMPLATES: [(&str, &str); 18] = [
    ("top.html", include_str!("../../templates/top.html")),
    ("bottom.html", include_str!("../../templates/bottom.html")),
    ("form.html", include_str!("../../templates/form.html")),
    ("home.html", include_str!("../../templates/home.html")),
    ("answer_top.html", include_str!("../../templates/answer_top.html")),
    ("answer_bottom.html", include_str!("../../templates/answer_bottom.html")),
    ("status.html", include_str!("../../templates/status.html")),
    ("refused.html", include_str!("../../templates/refused.html")),
    ("account.html", include_str!("../../templates/account.html")),
    ("passages.html", include_str!("../../templates/passages.html")),
    ("cites.html", include_str!("../../templates/cites.html")),
    ("why.html", include_str!("../../templates/why.html")),
    ("library.html", include_str!("../../templates/library.html")),
    ("library_form.html", include_str!("../../templates/library_form.html")),
    ("library_read.html", include_str!("../../templates/library_read.html")),
    ("library_search.html", include_str!("../../templates/library_search.html")),
    ("question.html", include_str!("../../templates/question.html")),
    ("questions.html", include_str!("../../templates/questions.html")),
];

/// The templates, and what every page has in common.
pub(crate) struct Pages {
    templates: Environment<'static>,
    common: Value,
    /// What the community is called once it is founded stands on every page.
    assembly: Option<Assembly>,
}

impl Pages {
    /// `library`: whether there is one to link to.
    pub(crate) fn new(community: &str, assets: &Assets, assembly: Option<Assembly>, library: bool) -> Self {
        let mut templates = Environment::new();
        templates.add_function("t", translate);
        for (name, source) in TEMPLATES {
            templates
                .add_template(name, source)
                .expect("a test renders every template, and they are built in");
        }
        let languages: Vec<Value> = Language::ALL
            .map(|language| context! { code => language.code(), name => language.name() })
            .into_iter()
            .collect();
        let common = context! {
            community => community,
            library => library,
            languages => languages,
            page_css => path(&assets.page_css),
            script => assets.script.as_deref().map(path),
            styles => assets.styles.iter().map(|style| path(style)).collect::<Vec<Value>>(),
            max_question => chat::MAX_QUESTION,
        };
        Self { templates, common, assembly }
    }

    /// Writes a page, or a part of one. `values` come before what is common to all.
    pub(crate) fn render(&self, template: &str, language: Language, values: Value) -> String {
        let named = self.assembly.as_ref().map(|assembly| assembly.in_force().community.clone());
        let named = named.filter(|name| !name.is_empty());
        let common = match named {
            Some(community) => merge_maps([self.common.clone(), context! { community }]),
            None => self.common.clone(),
        };
        let values = merge_maps([context! { lang => language.code() }, values, common]);
        let written = self.templates.get_template(template).and_then(|template| template.render(values));
        written.unwrap_or_else(|error| {
            tracing::error!(template, %error, "a page could not be written");
            language.text("page.refused.500.title").to_owned()
        })
    }

    /// A whole page as an answer.
    pub(crate) fn page(&self, status: StatusCode, template: &str, visit: &Visit, values: Value) -> Response {
        let values = merge_maps([context! { account => self.account(visit) }, values]);
        (status, Html(self.render(template, visit.language, values))).into_response()
    }

    /// What a page says about signing in; nothing where there is no community yet.
    fn account(&self, visit: &Visit) -> Option<Value> {
        let in_force = self.assembly.as_ref().map(Assembly::in_force)?;
        let joining = &in_force.constitution.as_ref()?.joining;
        let name = visit.caller.as_ref().map(|caller| caller.name.clone());
        let must_sign_in = name.is_none() && !joining.guests_ask;
        let signed_in = name.map(|name| visit.language.fill("page.account.signedIn", &[("name", &name)]));
        Some(context! { signed_in, must_sign_in })
    }
}

/// A path of our own build: written as it is, where escaping would write each slash as `&#x2f;`.
fn path(path: &str) -> Value {
    Value::from_safe_string(path.to_owned())
}

/// `t('key')` in a template: the sentence in the page's language.
fn translate(state: &State<'_, '_>, key: &str) -> String {
    let language = state.lookup("lang").and_then(|lang| Language::from_tag(lang.as_str()?));
    language.unwrap_or(Language::English).text(key).to_owned()
}
