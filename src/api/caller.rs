//! Who asks.

use super::ApiConfig;
use super::fault::Fault;
use axum::http::HeaderMap;
use weir_model::ProjectId;

/// Longest project id that is taken, in bytes; Neutron's column holds as many.
pub(crate) const PROJECT_ID_MAX: usize = 255;

/// How callers are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// They are not: everyone is admin; `X-Project-Id` names the project.
    #[default]
    None,
}

/// Who asks, and for which project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The project of what is created without naming one.
    pub project: Option<ProjectId>,
    /// Whether everything is allowed.
    pub admin: bool,
}

impl Caller {
    /// The caller of a request.
    ///
    /// # Errors
    /// 400 when a header cannot be used.
    pub(crate) fn of(headers: &HeaderMap, config: &ApiConfig) -> Result<Self, Fault> {
        match config.auth {
            Auth::None => {
                let project = match headers.get("x-project-id") {
                    None => None,
                    Some(value) => match value.to_str() {
                        Ok(text) if text.len() <= PROJECT_ID_MAX => Some(text.trim()).filter(|text| !text.is_empty()),
                        _ => {
                            return Err(Fault::bad_request("The X-Project-Id header is not a project id."));
                        }
                    },
                };
                let project = project.map(ProjectId::from).or_else(|| config.default_project.clone());
                Ok(Self { project, admin: true })
            }
        }
    }

    /// Whether an object of a project is the caller's own.
    pub fn owns(&self, project: &ProjectId) -> bool {
        self.project.as_ref() == Some(project)
    }

    /// Whether the caller is at least `who`.
    pub fn is(&self, who: Who) -> bool {
        self.admin || who == Who::Anyone
    }
}

/// Whom policy lets see or set something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Every caller who may see or change the object.
    Anyone,
    /// Admins only.
    Admin,
}
