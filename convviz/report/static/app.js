(()=>{var E,bt,Ps,te,qe,Pe,vt,Se,yt,Ke,ze,Ns,$e=Symbol.for("pv"),Ne={},Te=[],Ts=/^m(i|n|o|s|text|space)$/,Ve=Array.isArray,Ge=Te.slice,le=Object.assign;function ie(e){e&&e.parentNode&&e.remove()}function wt(e,t,s){var n,a,o,r={},i=arguments.length;for(o in t)o=="key"?n=t[o]:o=="ref"&&typeof e!="function"?a=t[o]:r[o]=t[o];return i>2&&(r.children=i>3?Ge.call(arguments,2):s),me(e,r,n,a,null)}function me(e,t,s,n,a){var o={type:e,props:t,key:s,ref:n,__k:null,__:null,__b:0,__e:null,__c:null,constructor:$e,__v:a||++bt,__i:-1,__u:0};return!a&&E.vnode&&E.vnode(o),o}function Ae(e){return e.children}function Ee(e,t){this.props=e,this.context=t,this.__g=0}function se(e,t){if(t==null)return e.__&&se(e.__,e.__i+1);for(var s;t<e.__k.length;t++)if((s=e.__k[t])&&s.__e)return s.__e;return typeof e.type!="function"||e.props.__P?null:se(e)}function As(e){var t,s=e.__v,n=s.__e,a=[],o=[],r=e.__P;r&&((t=le({constructor:$e},s)).__v=s.__v+1,E.vnode&&E.vnode(t),Je(r,t,s,e.__n,r.namespaceURI,32&s.__u?[n]:null,a,n||se(s),32&s.__u,o),t.__v=s.__v,t.__.__k[t.__i]=t,Mt(a,t,o),s.__=s.__e=null,t.__e!=n&&xt(t))}function xt(e){if((e=e.__)&&e.__c&&!e.props.__P)return e.__e=null,e.__k.some(function(t){return t&&(e.__e=t.__e)}),xt(e)}function _t(e){(8&e.__g||(e.__g|=8,te.push(e),Pe++))&&qe==E.debounceRendering||((qe=E.debounceRendering)||queueMicrotask)(kt)}function kt(){try{for(var e,t=1;te.length;)te.length>t&&te.sort(vt),e=te.shift(),t=te.length,8&e.__g&&As(e)}finally{(Pe=te.length)&&(qe||queueMicrotask)(kt)}}function Ct(e,t,s,n,a,o,r,i,c,p,d){var f,m,u,h,_,b,v=n.__k||Te,$=t.length;for(c=Ls(s,t,v,c,$),f=0;f<$;f++)(u=s.__k[f])!=null&&(m=~u.__i&&v[u.__i]||Ne,u.__i=f,b=Je(e,u,m,a,o,r,i,c,p,d),h=u.__e,(m.ref!=u.ref||8&m.__u)&&(m.ref&&Xe(m.ref,null,u,m),u.ref&&d.push(u.ref,u.__c||h,u)),_=_||h,4&u.__u?(c=St(u,c,e,!m.__v),m.__e&&(m.__e=null)):typeof u.type=="function"&&b!==void 0?c=b:h&&(c=h.nextSibling),u.__u&=-21);return s.__e=_,c}function Ls(e,t,s,n,a){var o,r,i,c,p,d,f,m,u,h=s.length,_=h,b=0,v=0,$=e.__k=Array(a);for(o=0;o<a;o++)(r=t[o])!=null&&typeof r!="boolean"&&typeof r!="function"?(typeof r!="object"||r.constructor===String?r=$[o]=me(null,r):Ve(r)?r=$[o]=me(Ae,{children:r}):r.constructor===$e&&r.__b?r=$[o]=me(r.type,r.props,r.key,r.ref,r.__v):$[o]=r,c=o+b,r.__=e,r.__b=e.__b+1,i=null,~(p=r.__i=Os(r,s,c,_))&&(_--,(i=s[p])&&(i.__u|=2)),i&&i.__v?(r.__u|=16,p==c-1?b--:p==c+1?b++:p!=c&&(p>c?b--:b++,v=1)):(~p||(a>h?b--:a<h&&b++),typeof r.type!="function"&&(r.__u|=4))):$[o]=null;if(v){for(d=[],f=[],o=0;o<a;o++)if((r=$[o])&&16&r.__u){for(b=0,m=d.length;b<m;)d[u=b+m>>1]<r.__i?b=u+1:m=u;d[b]=r.__i,f[o]=b+1}for(b=d.length;o--;)f[o]&&(f[o]==b?b--:$[o].__u|=4)}if(_)for(o=0;o<h;o++)!(i=s[o])||2&i.__u||(i.__e==n&&(n=se(i)),Ye(i,i));return n}function St(e,t,s,n){var a,o,r,i;if(typeof e.type=="function"){if(e.props.__P)return t;if(a=e.__k)for(o=0;o<a.length;o++)a[o]&&(a[o].__=e,t=St(a[o],t,s,!1));return t}for(t&&!t.parentNode&&(t=se(e))&&!t.parentNode&&(t=null),r=e.__e,i=t;i&&i.nodeType==8;)i=i.nextSibling;for(r!=i&&(!n&&s.moveBefore&&r.parentNode?s.moveBefore(r,t):s.insertBefore(r,t||null)),t=r;(t=t&&t.nextSibling)&&t.nodeType==8&&!t.data.startsWith("$s"););return t}function Os(e,t,s,n){var a,o=e.key,r=e.type,i=t[s],c=i&&!(2&i.__u);if(i===null&&o==null||c&&o==i.key&&r==i.type)return s;if(n>(c?1:0)){for(a=s-1;a>=0;a--)if((i=t[a])&&!(2&i.__u)&&o==i.key&&r==i.type)return a;for(a=s+1;a<t.length;a++)if((i=t[a])&&!(2&i.__u)&&o==i.key&&r==i.type)return a}return-1}function gt(e,t,s){s==null&&(s=""),t[0]=="-"?e.setProperty(t,s):e[t]=s}function Ce(e,t,s,n,a){var o,r;if(t=="style")if(typeof s=="string")e.style.cssText=s;else{if(typeof n=="string"&&(e.style.cssText=n=""),n)for(t in n)s&&t in s||gt(e.style,t);if(s)for(t in s)n&&s[t]==n[t]||gt(e.style,t,s[t])}else if(t[0]=="o"&&t[1]=="n")typeof s!="function"&&(s=null),typeof n!="function"&&(n=null),(e.__e||(e.__e={}))[t]=s,s&&n||(r=ze[t]||(ze[t]=Is(t)),(e.__a||(e.__a={}))[t]=Ke,o=t!=(t=t.replace(yt,"$1")),(t=t.slice(2))[0]<"a"&&(t=t.toLowerCase()),s?e.addEventListener(t,r,o):e.removeEventListener(t,r,o));else{if(a=="http://www.w3.org/2000/svg")t=t.replace(/xlink(H|:h)/,"h").replace(/sName$/,"s");else if(t!="width"&&t!="height"&&t!="href"&&t!="list"&&t!="form"&&t!="tabIndex"&&t!="download"&&t!="rowSpan"&&t!="colSpan"&&t!="role"&&t!="popover"&&t in e)try{return void(e[t]=s??"")}catch{}if(typeof s=="function")return;s==null||s===!1&&t[4]!="-"?e.removeAttribute(t):e.setAttribute(t,t=="popover"&&s==1?"":s)}}function Is(e){return function(t){var s=this.__e;if(s){if(s=s[e],t[Se]==null)t[Se]=Ke++;else if(t[Se]<this.__a[e])return;return s(E.event?E.event(t):t)}}}function Je(e,t,s,n,a,o,r,i,c,p){var d,f,m,u,h,_,b,v,$,w,y,g,k,x,M,B,z,G,X=t.type;if(t.constructor!==$e)return null;128&s.__u&&(c=32&s.__u,d=s.__c.__z)&&(t.__u|=c,f=o=[],d.nodeType==8?i=Me(d,o):o.push(d),i=o[0]||i),(d=E.__b)&&d(t);e:if(typeof X=="function"){m=r.length;try{if(v=t.props,$=(d=X.prototype)&&d.render,w=(d=X.contextType)&&n[d.__c],y=d?w?w.props.value:d.__:n,(u=s.__c)?(t.__c=u,2&u.__g&&(u.__g|=1)):($?t.__c=u=new X(v,y):(t.__c=u=new Ee(v,y),u.constructor=X,u.render=Ds),w&&w.sub(u),u.state||(u.state={}),u.__n=n,u.__g|=8,u.__h=[],u.__k=[]),$&&(u.__s||(u.__s=u.state),X.getDerivedStateFromProps&&(u.__s==u.state&&(u.__s=le({},u.__s)),le(u.__s,X.getDerivedStateFromProps(v,u.__s)))),h=u.props,_=u.state,u.__v=t,s.__c){if(v!==h&&$&&!X.getDerivedStateFromProps&&u.componentWillReceiveProps&&u.componentWillReceiveProps(v,y),t.__v==s.__v&&!(8&u.__g)||!(4&u.__g)&&u.shouldComponentUpdate&&u.shouldComponentUpdate(v,u.__s,y)===!1){t.__v!=s.__v&&(u.props=v,u.state=u.__s,u.__g&=-9),t.__e=s.__e,t.__k=s.__k,t.__k.some(function(F){F&&(F.__=t)}),Te.push.apply(u.__h,u.__k),u.__k=[],u.__h.length&&r.push(u),i=se(s);break e}u.componentWillUpdate&&u.componentWillUpdate(v,u.__s,y),$&&u.componentDidUpdate&&u.__h.push(function(){u.componentDidUpdate(h,_,b)})}else $&&!X.getDerivedStateFromProps&&u.componentWillMount&&u.componentWillMount(),$&&u.componentDidMount&&u.__h.push(u.componentDidMount);u.context=y,u.props=v,u.__P=e,u.__g&=-5,g=E.__r,k=$?25:0;do u.__g&=-9,g&&g(t),d=u.render(u.props,u.state=u.__s,u.context);while(8&u.__g&&++k<25);$&&(Te.push.apply(u.__h,u.__k),u.__k=[]),u.state=u.__s,u.getChildContext&&(n=le({},n,u.getChildContext())),$&&s.__c&&u.getSnapshotBeforeUpdate&&(b=u.getSnapshotBeforeUpdate(h,_)),x=d&&d.type===Ae&&d.key==null?d.props.children:d,v.__P&&(d=i,a=(e=v.__P).namespaceURI,c=o=null,s.props&&s.props.__P!=e&&(s.__k.some(function(F){F&&Ye(F,F)}),s.__k=null),i=s.__k?se(s,0):null),i=Ct(e,Ve(x)?x:[x],t,s,n,a,o,r,i,c,p),v.__P&&(t.__e=null,i=d),t.__u&=-161,f&&f.some(ie),u.__h.length&&r.push(u),1&u.__g&&(u.__g&=-4)}catch(F){if(r.length=m,t.__v=null,c||o)if(F&&F.then){if(t.__u|=128|c,o){for(~(z=o.indexOf(i||void 0))||(z=o.length);(G=o[z-1])&&G.nodeType==8;)z--;for(;z<o.length;z++)if(G=o[z])if(o[z]=null,M){if(G==B)break}else{if(G.nodeType!=8)break;G.data.startsWith("$s")&&(B=Me(M=G))}}if(!M){for(;i&&i.nodeType==8&&i.nextSibling;)i=i.nextSibling;M=i}(d=Me(M=t.__c.__z||(t.__c.__z=M)))?(t.__e=M,i=d):t.__e=i,i=i&&i.nextSibling}else o&&o.some(ie);else t.__e=s.__e;t.__k||(t.__k=s.__k||[]),F&&F.then||Et(t),E.__e(F,t,s)}}else i=t.__e=Rs(s.__e,t,s,n,a,o,r,c,p,e);return(d=E.diffed)&&d(t),i}function Me(e,t){if(e&&e.nodeType==8&&e.data.startsWith("$s"))for(var s=1;e=e.nextSibling;){if(e.nodeType==8){if(e.data.startsWith("$s"))s++;else if(e.data.startsWith("/$s")&&!--s)return e}t&&t.push(e)}}function Et(e){e&&(e.__c&&(e.__c.__g|=4),e.__k&&e.__k.some(Et))}function Mt(e,t,s){for(var n=0;n<s.length;)Xe(s[n++],s[n++],s[n++]);E.__c&&E.__c(t,e),e.some(function(a){try{e=a.__h,a.__h=[],e.some(function(o){o.call(a)})}catch(o){E.__e(o,a.__v)}})}function Rs(e,t,s,n,a,o,r,i,c,p){var d,f,m,u,h,_,b,v,$=s.props||Ne,w=t.props,y=t.type;if(y=="svg"?a="http://www.w3.org/2000/svg":y=="math"?a="http://www.w3.org/1998/Math/MathML":a||(a="http://www.w3.org/1999/xhtml"),o){for(d=0;d<o.length;d++)if((h=o[d])&&(y?h.localName==y:h.nodeType==3)){e=h,o[d]=null;break}}if(!e){if(v=p.ownerDocument||document,!y)return v.createTextNode(w);e=v.createElementNS(a,y,w.is?w:p),i&&(E.__m&&E.__m(t,o),i=!1),o=null}if(y){if(p=y=="template"&&e.content||e,o=y=="textarea"&&w.defaultValue!=null?null:o&&Ge.call(p.childNodes),!i&&o)for($={},d=0;d<e.attributes.length;d++)$[(h=e.attributes[d]).name]=h.value;for(d in $)h=$[d],d=="dangerouslySetInnerHTML"?m=h:d=="children"||d in w||d=="value"&&"defaultValue"in w||d=="checked"&&"defaultChecked"in w||Ce(e,d,null,h,a);for(d in w)h=w[d],d=="children"?u=h:d=="dangerouslySetInnerHTML"?f=h:d=="value"?_=h:d=="checked"?b=h:i&&typeof h!="function"||$[d]===h||Ce(e,d,h,$[d],a);f?(i||m&&(f.__html==m.__html||f.__html==e.innerHTML)||(e.innerHTML=f.__html),t.__k=[]):(m&&(e.textContent=""),(y=="foreignObject"||a=="http://www.w3.org/1998/Math/MathML"&&Ts.test(y))&&(a="http://www.w3.org/1999/xhtml"),Ct(p,Ve(u)?u:[u],t,s,n,a,o,r,o?o[0]:s.__k&&se(s,0),i,c),o&&o.some(ie)),i&&y!="textarea"||(d="value",y=="progress"&&_==null?e.removeAttribute(d):_==null||_===e[d]&&(y!="progress"||_)||Ce(e,d,_,$[d],a),d="checked",b!=null&&b!=e[d]&&Ce(e,d,b,$[d],a))}else $===w||i&&e.data==w||(e.data=w);return e}function Xe(e,t,s,n){try{typeof e=="function"?t?t.__x=e(t)||1:n&&(n=n.__c||n.__e)&&(t=n.__x)&&(n.__x=null,typeof t=="function"?t():e(null)):e.current=t}catch(a){E.__e(a,s)}}function Ye(e,t,s){var n,a,o,r;if(E.unmount&&E.unmount(e),!(n=e.ref)||n.current&&n.current!=e.__e||Xe(n,null,t,e),n=e.__c){if(n.componentWillUnmount)try{n.componentWillUnmount()}catch(i){E.__e(i,t)}n.__P=n.__n=null}if(n=e.__k)for(r=0;r<n.length;r++)n[r]&&Ye(n[r],t,typeof e.type!="function"||s&&!e.props.__P);!s&&(n=e.__c)&&(n=n.__z)&&(a=Me(n,o=[]))&&(n==e.__e&&o.some(ie),ie(a),ie(n)),s||ie(e.__e),e.__e=e.__c=e.__=null}function Ds(e,t,s){return this.constructor(e,s)}function U(e,t){var s,n,a,o;E.__&&E.__(e,t),t.nodeType==9&&(t=t.documentElement),n=(s=e&&32&e.__u)?null:t.__k,t.__k=me(Ae,{children:[e]}),a=[],o=[],Je(t,t.__k,n||Ne,Ne,t.namespaceURI,n?null:t.firstChild?Ge.call(t.childNodes):null,a,n?n.__e:t.firstChild,s,o),Mt(a,t.__k,o),t.__k.props.children=null}E={__e:function(e,t,s,n){for(var a,o,r;t=t.__;)if((a=t.__c)&&!(1&a.__g)){a.__g|=4;try{if((r=(o=a.constructor)&&o.getDerivedStateFromError)&&a.setState(o.getDerivedStateFromError(e)),a.componentDidCatch&&(a.componentDidCatch(e,n||{}),r=1),r&&8&a.__g)return void(a.__g|=2)}catch(i){e=i}}throw Pe=0,e}},bt=0,Ps=function(e){return e!=null&&e.constructor===$e},Ee.prototype.setState=function(e,t){var s=this.__s;s&&s!=this.state||(s=this.__s=le({},this.state)),typeof e=="function"&&(e=e(le({},s),this.props)),e&&(le(s,e),this.__v&&(t&&this.__k.push(t),_t(this)))},Ee.prototype.forceUpdate=function(e){this.__v&&(this.__g|=4,e&&this.__h.push(e),_t(this))},Ee.prototype.render=Ae,te=[],Pe=0,vt=function(e,t){return e.__v.__b-t.__v.__b},Se=Symbol(),yt=/(PointerCapture)$|Capture$/i,Ke=0,ze={},Ns=0;var he,L,Ze,Pt,Qe=Object.is,Le=0,Bt=[],et=[],T=E,Nt=T.__b,Tt=T.__r,At=T.diffed,Lt=T.__c,Ot=T.unmount,It=T.__;function Oe(e,t){T.__h&&T.__h(L,e,Le||t),Le=0;var s=L.__H||(L.__H={__:[],__h:[]});return e>=s.__.length&&s.__.push({}),s.__[e]}function A(e){return Le=1,Bs(Ht,e)}function Bs(e,t,s){var n=Oe(he++,2);if(n.t=e,!n.__c&&(n.__=[s?s(t):Ht(void 0,t),function(o){var r=(n.__N||n.__)[0],i=n.t(r,o);Qe(r,i)||(n.__N=[i,n.__[1]],n.__c.setState({}))}],n.__c=L,!L.__f)){L.__f=!0;var a=L.shouldComponentUpdate;L.shouldComponentUpdate=function(o,r,i){var c=this.__H;if(!c)return!0;var p=!1,d=this.props!=o;if(c.__.some(function(m){m.__N&&(p=!0,Qe(m.__[0],m.__N[0])||(d=!0))}),a){var f=a.call(this,o,r,i);return p?f||d:f}return!p||d}}return n.__}function N(e,t){var s=Oe(he++,3);!T.__s&&st(s.__H,t)&&(s.__P=!0,s.__=e,s.u=t,L.__H.__h.push(s))}function jt(e,t){var s=Oe(he++,4);!T.__s&&st(s.__H,t)&&(s.__P=!1,s.__=e,s.u=t,L.__h.push(s))}function j(e){return Le=5,ne(function(){return{current:e}},[])}function ne(e,t){var s=Oe(he++,7);return st(s.__H,t)&&(s.__=e(),s.__H=t),s.__}function js(){var e;do{for(;e=et.shift();)try{_e(e)}catch(s){T.__e(s,{__:(e=e.__P)&&e.__v})}for(;e=Bt.shift();){var t=e.__H;if(e.__P&&t)try{t.__h.some(_e),t.__h.some(tt),t.__h=[]}catch(s){t.__h=[],T.__e(s,e.__v)}}}while(et.length)}T.__b=function(e){L=null,Nt&&Nt(e)},T.__=function(e,t){e&&t.__k&&t.__k.__m&&(e.__m=t.__k.__m),It&&It(e,t)},T.__r=function(e){Tt&&Tt(e),he=0;var t=(L=e.__c).__H;t&&(Ze==L?L.__h=[]:(t.__h.some(_e),t.__h.some(tt),he=0),t.__h=[],t.__.some(function(s){s.__N&&(s.__=s.__N),s.u=s.__N=void 0})),Ze=L},T.diffed=function(e){At&&At(e);var t=e.__c;t&&t.__H&&(t.__H.__h.length&&Dt(Bt.push(t)),t.__H.__.some(function(s){s.u&&(s.__H=s.u)})),Ze=L=null},T.__c=function(e,t){t.some(function(s){try{s.__h.some(_e),s.__h=s.__h.filter(function(n){return!n.__||tt(n)})}catch(n){s.__h=[function(){throw n}]}}),Lt&&Lt(e,t)},T.unmount=function(e){Ot&&Ot(e);var t,s,n=e.__c;n&&n.__H&&(n.__H.__.some(function(a){try{if(a.__P&&a.__c){if(s===void 0){for(s=e.__;s&&(!s.__c||!s.__c.__P);)s=s.__;s=s&&s.__c}a.__P=s,Dt(et.push(a))}else _e(a)}catch(o){t=o}}),n.__H=void 0,t&&T.__e(t,n.__v))};var Rt=typeof requestAnimationFrame=="function";function Hs(e){var t,s=function(){clearTimeout(n),Rt&&cancelAnimationFrame(t),setTimeout(e)},n=setTimeout(s,35);Rt&&(t=requestAnimationFrame(s))}function Dt(e){e!=1&&Pt==T.requestAnimationFrame||((Pt=T.requestAnimationFrame)||Hs)(js)}function _e(e){var t=L,s=e.__c;typeof s=="function"&&(e.__c=void 0,s()),L=t}function tt(e){var t=L;e.__c=e.__(),L=t}function st(e,t){return!e||e.length!=t.length||t.some(function(s,n){return!Qe(s,e[n])})}function Ht(e,t){return typeof t=="function"?t(e):t}var Ft=function(e,t,s,n){var a;t[0]=0;for(var o=1;o<t.length;o++){var r=t[o++],i=t[o]?(t[0]|=r?1:2,s[t[o++]]):t[++o];r===3?n[0]=i:r===4?n[1]=Object.assign(n[1]||{},i):r===5?(n[1]=n[1]||{})[t[++o]]=i:r===6?n[1][t[++o]]+=i+"":r?(a=e.apply(i,Ft(e,i,s,["",null])),n.push(a),i[0]?t[0]|=2:(t[o-2]=0,t[o]=a)):n.push(i)}return n},Ut=new Map;function Wt(e){var t=Ut.get(this);return t||(t=new Map,Ut.set(this,t)),(t=Ft(this,t.get(e)||(t.set(e,t=(function(s){for(var n,a,o=1,r="",i="",c=[0],p=function(m){o===1&&(m||(r=r.replace(/^\s*\n\s*|\s*\n\s*$/g,"")))?c.push(0,m,r):o===3&&(m||r)?(c.push(3,m,r),o=2):o===2&&r==="..."&&m?c.push(4,m,0):o===2&&r&&!m?c.push(5,0,!0,r):o>=5&&((r||!m&&o===5)&&(c.push(o,0,r,a),o=6),m&&(c.push(o,m,0,a),o=6)),r=""},d=0;d<s.length;d++){d&&(o===1&&p(),p(d));for(var f=0;f<s[d].length;f++)n=s[d][f],o===1?n==="<"?(p(),c=[c],o=3):r+=n:o===4?r==="--"&&n===">"?(o=1,r=""):r=n+r[0]:i?n===i?i="":r+=n:n==='"'||n==="'"?i=n:n===">"?(p(),o=1):o&&(n==="="?(o=5,a=r,r=""):n==="/"&&(o<5||s[d][f+1]===">")?(p(),o===3&&(c=c[0]),o=c,(c=c[0]).push(2,0,o),o=0):n===" "||n==="	"||n===`
`||n==="\r"?(p(),o=2):r+=n),o===3&&r==="!--"&&(o=4,c=c[0])}return p(),c})(e)),t),arguments,[])).length>1?t:t[0]}var l=Wt.bind(wt);var oe=window.convvizShared??={chunks:new Map,received:new Map};window.convvizChunk=(e,t)=>oe.received.set(e,t);var ge=document.documentElement.dataset.root??"",O=e=>e.startsWith("data:image/")?e:ge+e.split("/").map(encodeURIComponent).join("/");function R(e){if(!oe.chunks.has(e)){let t=new Promise((s,n)=>{let a=document.createElement("script");a.src=O(`data/${e}.js`);let o=()=>{oe.chunks.delete(e),n(new Error(`data/${e}.js cannot be read`))};a.onerror=o,a.onload=()=>{if(a.remove(),!oe.received.has(e))return o();s(oe.received.get(e)),oe.received.delete(e)},document.head.append(a)});oe.chunks.set(e,t)}return oe.chunks.get(e)}var ue=()=>R("site");function W(e,t){let[s,n]=A({});return jt(()=>{let a=!0;return e().then(o=>a&&n({value:o}),o=>a&&n({error:o})),()=>a=!1},t),[s.value,s.error]}var ae=()=>Object.fromEntries(new URLSearchParams(location.hash.slice(1)));function Ie(e){let t=new URLSearchParams(location.hash.slice(1));for(let[s,n]of Object.entries(e))n==null||n===""?t.delete(s):t.set(s,n);return`#${t}`}function S(e,{replace:t=!1}={}){let s=Ie(e);s===location.hash||s==="#"&&!location.hash||(history[t?"replaceState":"pushState"](null,"",s),window.dispatchEvent(new Event("convviz:state")))}function be(e){let t=["convviz:state","hashchange","popstate"];for(let s of t)window.addEventListener(s,e);return()=>t.forEach(s=>window.removeEventListener(s,e))}function H(){let[e,t]=A(ae);return N(()=>be(()=>t(ae())),[]),e}var Us="input:not([type=checkbox]):not([type=radio]), textarea, select";function J(e){N(()=>{let t=s=>{if(s.ctrlKey||s.metaKey||s.altKey||s.target.matches?.(Us))return;let n=e[s.key];n&&(s.preventDefault(),n(s))};return document.addEventListener("keydown",t),()=>document.removeEventListener("keydown",t)})}async function Y(e){let{block:t}=await ue(),s=Math.floor(e/t),n=await R(`items-${String(s).padStart(3,"0")}`);return nt(n,e)}function nt(e,t){let s=t-e.start,n=a=>a?.[s]??null;return{row:t,name:e.names[s],label:n(e.labels),predicted:n(e.predicted),probability:n(e.probability),correct:n(e.correct),size:n(e.sizes),preview:n(e.previews),thumb:e.thumbs&&{...e.thumbs,index:s}}}function ve({tile:e,size:t,label:s="",className:n=""}){if(!e)return l`<span class="tile missing ${n}" style=${{width:ce(t),height:ce(t)}}></span>`;let a=t/e.tile,o=e.index%e.columns*t,r=Math.floor(e.index/e.columns)*t,i={width:ce(t),height:ce(t),backgroundImage:`url("${O(e.atlas)}")`,backgroundPosition:`-${ce(o)} -${ce(r)}`,backgroundSize:`${ce(e.columns*e.tile*a)} auto`};return l`<span class="tile ${n}" style=${i} ...${s?{role:"img","aria-label":s}:{"aria-hidden":"true"}}></span>`}var Re=e=>`${O("image.html")}#id=${e}`,ce=e=>`${Math.round(e*1e3)/1e3}px`;function C(e,t=3){return e==null||Number.isNaN(e)?"–":e!==0&&(Math.abs(e)>=1e6||Math.abs(e)<.001)?e.toExponential(t-1):String(Number(e.toPrecision(t)))}function K(e){if(e==null)return"–";let t=e*100;return t===0||t===100?`${t} %`:`${t<10?Number(t.toPrecision(t<1?1:2)):Math.min(99.9,Number(t.toFixed(1)))} %`}var P=e=>String(e).replace(/\B(?=(\d{3})+(?!\d))/g," ");async function Fs(e){try{await navigator.clipboard.writeText(e)}catch{let t=document.createElement("textarea");t.value=e,t.className="offscreen",document.body.append(t),t.select(),document.execCommand("copy"),t.remove()}}function q({text:e,children:t}){let[s,n]=A(!1);return l`<button type="button" class="quiet" onClick=${async()=>{await Fs(typeof e=="function"?e():e),n(!0),setTimeout(()=>n(!1),1500)}}>
    ${s?"Copied":t}<span class="offscreen" aria-live="polite">${s?"copied":""}</span>
  </button>`}function ot(e,t,s){let n=document.createElement("a");n.href=URL.createObjectURL(new Blob([t],{type:s})),n.download=e,n.click(),setTimeout(()=>URL.revokeObjectURL(n.href),1e3)}function qt(e,t){let s=n=>{if(n==null)return"";if(typeof n=="number")return String(n);let a=/^[=+\-@\t\r]/.test(String(n))?`'${n}`:String(n);return/[",\n\r]/.test(a)?`"${a.replaceAll('"','""')}"`:a};return[e,...t].map(n=>n.map(s).join(",")).join(`\r
`)+`\r
`}var D=({error:e})=>l`<p class="problem" role="alert">${e.message}.</p>`,I=()=>{document.body.dataset.ready="true"};var Ws=e=>{let t=e.dataset.value??e.textContent.trim(),s=Number(t);return t!==""&&Number.isFinite(s)?s:t},qs=e=>[...e.cells].filter(t=>!t.classList.contains("number")).map(t=>t.textContent.toLowerCase()).join(" ");function zs(e,t,s){return e===""||t===""?(e==="")-(t===""):typeof e=="number"&&typeof t=="number"?s*(e-t):s*String(e).localeCompare(String(t),void 0,{numeric:!0})}function Ks(e){let t=e.dataset.state,s=e.tBodies[0],n=[...s.rows],a=[...e.tHead.rows[0].cells],o=document.createElement("input"),r=document.createElement("span");for(let p of a){let d=document.createElement("button");d.type="button",d.className="sort",d.append(...p.childNodes),p.append(d),d.addEventListener("click",()=>{let f=p.getAttribute("aria-sort")==="descending",m=p.classList.contains("number"),h=!p.hasAttribute("aria-sort")?m?"down":"up":f?"up":"down";S({[`${t}-sort`]:`${p.dataset.key}-${h}`},{replace:!0})})}o.type="search",o.placeholder=e.dataset.filter,o.setAttribute("aria-label",e.dataset.filter),o.addEventListener("input",()=>S({[`${t}-filter`]:o.value},{replace:!0})),r.className="note",r.setAttribute("aria-live","polite");let i=document.createElement("div");i.className="bar-of-controls",i.append(o,r),e.parentElement.before(i);let c=()=>{let p=ae(),[,d,f]=/^(.*)-(up|down)$/.exec(p[`${t}-sort`]??"")??[],m=a.findIndex(b=>b.dataset.key===d);a.forEach((b,v)=>{v===m?b.setAttribute("aria-sort",f==="up"?"ascending":"descending"):b.removeAttribute("aria-sort")});let u=(p[`${t}-filter`]??"").toLowerCase();document.activeElement!==o&&(o.value=p[`${t}-filter`]??"");let _=(m<0?n:n.map(b=>[Ws(b.cells[m]),b]).sort((b,v)=>zs(b[0],v[0],f==="up"?1:-1)).map(([,b])=>b)).filter(b=>qs(b).includes(u));s.replaceChildren(..._),r.textContent=u?`${_.length} of ${n.length}`:""};c(),be(c)}var De=()=>document.querySelectorAll("table.sortable").forEach(Ks);var de=560,Vs=7,Gs=12,zt=(e,t)=>`images.html#${new URLSearchParams({class:e,predicted:t})}`;function Js(e,t){return(s,n)=>{let a=null,o=Vs;for(let r of e){let i=Math.max(Math.abs((r[1]+.5)*t-s),Math.abs((r[0]+.5)*t-n))-t/2;(i<o||i===o&&r[2]>a[2])&&([a,o]=[r,i])}return a}}function Xs(e,t,s){let n=window.devicePixelRatio||1;e.width=e.height=de*n;let a=e.getContext("2d"),o=getComputedStyle(e),[r,i,c]=["--right","--wrong","--line"].map(m=>o.getPropertyValue(m)),p=de/t.length,d=s.reduce((m,u)=>Math.max(m,u[2]),1);a.scale(n,n),a.strokeStyle=c,a.beginPath(),a.moveTo(0,0),a.lineTo(de,de),a.stroke();let f=Math.max(p,3);for(let[m,u,h]of s)a.globalAlpha=.35+.65*Math.sqrt(h/d),a.fillStyle=m===u?r:i,a.fillRect((u+.5)*p-f/2,(m+.5)*p-f/2,f,f)}function Ys(e,t){let s=new Array(e.length).fill(0);for(let[n,a,o]of t)n!==a&&(s[n]+=o);return s.indexOf(Math.max(...s))}function Zs({names:e,cells:t,name:s}){let n=e.indexOf(s);if(n<0)return s?l`<p class="note">No class has this name.</p>`:null;let a=(r,i)=>{let c=r.sort((p,d)=>d[2]-p[2]);return l`<div>
      <h4>${i}</h4>
      ${c.length===0&&l`<p class="note">none</p>`}
      <ul>
        ${c.slice(0,Gs).map(([p,d,f])=>l`<li key=${`${p}-${d}`}>
          <a href=${zt(e[p],e[d])}>${e[p===n?d:p]}</a> ${f}
        </li>`)}
      </ul>
    </div>`},o=t.filter(r=>r[0]!==r[1]);return l`<div class="class-confusions">
    ${a(o.filter(r=>r[0]===n),"Its images predicted as another class")}
    ${a(o.filter(r=>r[1]===n),"Images of other classes predicted as it")}
  </div>`}function Qs({name:e}){let[t,s]=W(()=>R(e),[e]),n=j(),[a,o]=A(null),{confusions:r}=H();if(N(()=>{if(!t)return;let h=()=>Xs(n.current,t.names,t.cells),_=window.matchMedia("(prefers-color-scheme: dark)");return h(),_.addEventListener("change",h),()=>_.removeEventListener("change",h)},[t]),s)return l`<${D} error=${s} />`;if(!t)return l`<p class="note">The matrix is loading …</p>`;let{names:i,cells:c}=t,p=Js(c,de/i.length),d=r??i[Ys(i,c)],f=h=>{let _=n.current.getBoundingClientRect();return p((h.clientX-_.left)/_.width*de,(h.clientY-_.top)/_.height*de)},m=h=>{let _=f(h);_&&(location.href=zt(i[_[0]],i[_[1]]))},u=a?`${i[a[0]]}, predicted as ${i[a[1]]}: ${a[2]} ${a[2]===1?"image":"images"}`:"Point at a cell to read it; click it to see its images.";return l`<h3>All ${i.length} classes</h3>
    <div class="columns">
      <figure class="whole">
        <canvas ref=${n} class=${a?"pointing":""} role="img"
          aria-label="Confusion matrix of all classes; the field beside it lists the confusions of a class"
          onPointerMove=${h=>o(f(h))} onPointerLeave=${()=>o(null)} onClick=${m}></canvas>
        <figcaption>${u}</figcaption>
      </figure>
      <div>
        <label class="field">Confusions of a class
          <input type="search" list="confused-classes" value=${d}
            onInput=${h=>S({confusions:h.target.value},{replace:!0})} />
        </label>
        <datalist id="confused-classes">${i.map(h=>l`<option value=${h} />`)}</datalist>
        <${Zs} names=${i} cells=${c} name=${d} />
      </div>
    </div>`}function Kt(){De();let e=document.getElementById("full-matrix");e&&U(l`<${Qs} name=${e.dataset.chunk} />`,e),I()}var ye=254,en=255,Gt="convviz-maps",tn={opacity:.65,smooth:!0,shared:!1},rt=e=>Uint8Array.from(atob(e),t=>t.charCodeAt(0));function sn(){try{return JSON.parse(localStorage.getItem(Gt))??{}}catch{return{}}}function nn(e){try{localStorage.setItem(Gt,JSON.stringify(e))}catch{}}var Jt=(e,t)=>t===en?null:e.low+t/ye*(e.high-e.low);function on(e,t,s,[n,a]){let o=new ImageData(e.width,e.height);for(let r=0;r<t.length;r++){let i=Jt(e,t[r]);if(i===null)continue;let c=Math.min(1,Math.max(0,(i-n)/(a-n||1))),p=3*Math.round(c*ye);o.data.set([s[p],s[p+1],s[p+2],255],4*r)}return o}function an({palette:e,range:t,unit:s,isSigned:n}){let a=j();N(()=>{let c=a.current.getContext("2d"),p=new ImageData(ye+1,1);for(let d=0;d<=ye;d++)p.data.set([...e.subarray(3*d,3*d+3),255],4*d);c.putImageData(p,0,0)},[e]);let[o,r]=t,i=n?`red: ${s||"value"} above zero, blue: below zero`:`bright: high ${s||"value"}`;return l`<div class="colour-bar">
    <canvas ref=${a} width=${ye+1} height="1" aria-hidden="true"></canvas>
    <span class="ends"><span>${C(o)}</span>${n&&l`<span>0</span>`}<span>${C(r)}</span></span>
    <span class="muted small">${i}</span>
  </div>`}var Xt=16,at={factor:1,x:.5,y:.5};function Be(e,t,s){let n=Math.min(Xt,Math.max(1,e)),a=.5/n,o=r=>Math.min(1-a,Math.max(a,r));return{factor:n,x:o(t),y:o(s)}}function Vt(e,{factor:t,x:s,y:n}){let a=e.currentTarget.getBoundingClientRect();return[s+((e.clientX-a.left)/a.width-.5)/t,n+((e.clientY-a.top)/a.height-.5)/t]}function rn({panel:e,title:t,palette:s,range:n,choices:a,cross:o,setCross:r,zoom:i,setZoom:c,isBare:p}){let d=j(),f=j(null),m=ne(()=>e.values&&rt(e.values),[e]);N(()=>{m&&d.current.getContext("2d").putImageData(on(e,m,s,n),0,0)},[m,s,n[0],n[1]]);let u=p?0:e.view&&!e.picture?a.opacity:1,h=g=>{f.current={x:g.clientX,y:g.clientY,zoom:i,isMoved:!1},g.currentTarget.setPointerCapture(g.pointerId)},_=g=>{r(Vt(g,i));let k=f.current;if(!k)return;let x=g.currentTarget.getBoundingClientRect(),[M,B]=[(g.clientX-k.x)/x.width,(g.clientY-k.y)/x.height];k.isMoved||=Math.hypot(g.clientX-k.x,g.clientY-k.y)>4,k.isMoved&&c(Be(i.factor,k.zoom.x-M/i.factor,k.zoom.y-B/i.factor))},b=g=>{let k=f.current&&!f.current.isMoved;if(f.current=null,!k||g.button!==0)return;let[x,M]=Vt(g,i);c(g.shiftKey?Be(i.factor/2,i.x,i.y):Be(i.factor*2,x,M))},v="";if(o&&m){let g=Math.min(e.width-1,Math.max(0,Math.floor(o[0]*e.width))),k=Math.min(e.height-1,Math.max(0,Math.floor(o[1]*e.height))),x=Jt(e,m[k*e.width+g]);v=x===null?"no value":C(x)}let $=a.smooth?"":"crisp",w=(g,k)=>`${100*(.5+(g-k)*i.factor)}%`,y={transform:`translate(${100*(.5-i.x*i.factor)}%, ${100*(.5-i.y*i.factor)}%) scale(${i.factor})`};return l`<div class="map-panel ${i.factor>1?"is-zoomed":""}" onPointerDown=${h} onPointerMove=${_} onPointerUp=${b}
      onPointerCancel=${()=>f.current=null} onPointerLeave=${()=>r(null)}>
    <div class="map-layers" style=${y}>
      ${e.view&&l`<img class=${i.factor>2?"crisp":""} src=${O(e.view)} alt="" draggable=${!1} />`}
      ${e.picture?l`<img class=${`over ${$}`} src=${O(e.picture)} style=${{opacity:u}} alt=${t} />`:l`<canvas ref=${d} class=${`over ${$}`} width=${e.width} height=${e.height} style=${{opacity:u}}
            role="img" aria-label=${t}></canvas>`}
    </div>
    ${o&&l`<span class="cross" style=${{left:w(o[0],i.x),top:w(o[1],i.y)}}></span>`}
    <output class="reading">${v}</output>
  </div>`}function ln({chunk:e,nameOf:t}){if(!e.agreements.length)return null;let s=e.agreements.map(({panels:n,correlation:a,overlap:o})=>{let[r,i]=n.map(d=>e.panels[d]),c=r.row===i.row;return{names:[r,i].map(d=>c?t.column(d.column):t.row(d.row)),of:c?t.row(r.row):t.column(r.column),correlation:a,overlap:o}});return l`<details class="agreements" open>
    <summary>Agreement of the maps</summary>
    <div class="scroll" tabindex="0" role="group" aria-label="Agreement of the maps">
      <table>
        <thead><tr><th scope="col">maps</th><th scope="col">for</th><th scope="col" class="number">rank correlation</th>
          <th scope="col" class="number">overlap of the top 10 %</th></tr></thead>
        <tbody>${s.map(({names:n,of:a,correlation:o,overlap:r},i)=>l`<tr key=${i}>
          <th scope="row">${n[0]} – ${n[1]}</th><td>${a}</td>
          <td class="number">${o===null?"flat map":o.toFixed(2)}</td>
          <td class="number">${K(r)}</td></tr>`)}</tbody>
      </table>
    </div>
    <p class="note">Rank correlation over the pixels: 1 is the same order, 0 none. Chance gives an overlap of 10 %.
      Two signed maps are compared by value, others by magnitude.</p>
  </details>`}function cn(e,t,s){if(!s)return[t.low,t.high];let n=e.filter(a=>a.column===t.column&&a.values);return[Math.min(...n.map(a=>a.low)),Math.max(...n.map(a=>a.high))]}function un(e){return e.map(t=>{let s=e.filter(({name:a})=>a===t.name),n=Object.entries(t.parameters).filter(([a,o])=>s.some(r=>r.parameters[a]!==o)).map(([a,o])=>`${a}=${o}`);return[t.name,t.layer,...n].filter(Boolean).join(" ")})}function dn({chunk:e,choices:t,onChoices:s,only:n,onOnly:a,keyTarget:o=document}){let[r,i]=A(null),[c,p]=A(at),[d,f]=A(!1),m=ne(()=>({signed:rt(e.palettes.signed),plain:rt(e.palettes.plain)}),[e]),u=g=>s({...t,...g});N(()=>{let g=k=>{k.key!==" "||k.target.closest?.("input, button, select, a, textarea")||(k.preventDefault(),f(k.type==="keydown"))};return o.addEventListener("keydown",g),o.addEventListener("keyup",g),()=>{o.removeEventListener("keydown",g),o.removeEventListener("keyup",g)}},[o]);let h=g=>p(Be(c.factor*g,...r??[c.x,c.y]));J(o===document?{"+":()=>h(2),"=":()=>h(2),"-":()=>h(.5),0:()=>p(at)}:{});let b=new Set(e.rows.map(g=>g.model)),v={row:g=>[e.rows[g].target,b.size>1&&e.rows[g].model].filter(Boolean).join(" · "),column:g=>w[g]},$=e.columns.map((g,k)=>({...g,place:k})).filter(g=>n===void 0||g.name===n),w=un(e.columns),y=$.length?$:e.columns.map((g,k)=>({...g,place:k}));return l`<div class="bar-of-controls">
      <label class="field">Opacity
        <input type="range" min="0" max="1" step="0.05" value=${t.opacity}
          onInput=${g=>u({opacity:Number(g.target.value)})} /></label>
      <label class="field"><input type="checkbox" checked=${t.smooth}
        onChange=${g=>u({smooth:g.target.checked})} /> smooth</label>
      ${e.rows.length>1&&l`<label class="field">Scale
        <select value=${t.shared?"shared":"own"} onChange=${g=>u({shared:g.target.value==="shared"})}>
          <option value="own">each map its own</option>
          <option value="shared">one per explainer</option>
        </select></label>`}
      <span class="zoom" role="group" aria-label="Zoom of all maps">
        <button type="button" aria-label="Zoom out (-)" disabled=${c.factor===1} onClick=${()=>h(.5)}>−</button>
        <button type="button" aria-label="Zoom in (+)" disabled=${c.factor===Xt} onClick=${()=>h(2)}>+</button>
        <button type="button" disabled=${c.factor===1} onClick=${()=>p(at)}>Whole image</button>
      </span>
      ${e.columns.length>1&&l`<label class="field">Explainer
        <select value=${n??""} onChange=${g=>a(g.target.value||void 0)}>
          <option value="">all</option>
          ${[...new Set(e.columns.map(({name:g})=>g))].map(g=>l`<option value=${g}>${g}</option>`)}
        </select></label>`}
      <span class="muted small">Hold <kbd>Space</kbd> for the photo alone</span>
    </div>
    <div class="scroll" tabindex="0" role="group" aria-label="Maps by explainer and target">
      <table class="maps">
        <thead><tr><th scope="col">target</th>${y.map(g=>l`<th scope="col" key=${g.place}>
          ${w[g.place]}</th>`)}</tr></thead>
        <tbody>${e.rows.map(({target:g,model:k},x)=>l`<tr key=${x}>
          <th scope="row">${g}${b.size>1&&l` <span class="muted">${k}</span>`}</th>
          ${y.map(M=>l`<td key=${M.place}>
            ${e.panels.filter(B=>B.row===x&&B.column===M.place).map(B=>{let z=B.signed?m.signed:m.plain,G=cn(e.panels,B,t.shared);return l`<div class="map-cell">
                <${rn} panel=${B} palette=${z} range=${G} choices=${t} ...${{cross:r,setCross:i,zoom:c,setZoom:p,isBare:d}}
                  title=${`${M.name} for ${v.row(x)}`} />
                ${B.values?l`<${an} palette=${z} range=${G} unit=${M.unit} isSigned=${B.signed} />`:l`<span class="muted small">Mid-grey is zero; colours are the channels of ${M.unit||"the map"}.</span>`}
                ${B.note&&l`<span class="muted small">${B.note}</span>`}
                ${M.notes.length>0&&l`<p class="map-note" title=${M.notes.join(" ")}>${M.notes[0]}</p>`}
              </div>`})}
          </td>`)}
        </tr>`)}</tbody>
      </table>
    </div>
    <p class="note">A click zooms in, a click with Shift out; drag to move. Keys: <kbd>+</kbd> <kbd>-</kbd> <kbd>0</kbd>.</p>
    <${ln} chunk=${e} nameOf=${v} />
    ${y.map(g=>l`<details key=${g.place} class="small">
      <summary>${w[g.place]}: parameters and notes</summary>
      ${g.notes.map(k=>l`<p class="note">${k}</p>`)}
      <dl class="facts">${Object.entries(g.parameters).map(([k,x])=>l`<div key=${k}>
        <dt>${k}</dt><dd class="plain">${x}</dd></div>`)}</dl>
    </details>`)}`}function Yt({name:e}){let[t,s]=W(async()=>e?R(e):null,[e]),[n,a]=A({...tn,...sn()}),{only:o}=H();if(!e)return null;let r=i=>{a(i),nn(i)};return l`<section class="card" aria-labelledby="maps-title">
    <div class="head"><h2 id="maps-title">What the scores depend on</h2></div>
    ${s&&l`<${D} error=${s} />`}
    ${t&&l`<${dn} key=${e} chunk=${t} choices=${n} onChoices=${r}
      only=${o} onOnly=${i=>S({only:i},{replace:!0})} />`}
  </section>`}function V(e,t){if(t.label===null)return[];let s=e.class_outputs?.[t.label],n=[e.classes[t.label],e.outputs[s]];return[...new Set(n.filter(a=>a!=null))]}var pe=(e,t)=>t===null||t<0?"":e.outputs[t]??String(t);var pn=64,it=e=>Math.max(...e.size)<=pn?"crisp":"";function we({item:e,size:t}){return e?e.preview?l`<img class="square ${it(e)}" src=${O(e.preview)} alt="" loading="lazy" width=${t} height=${t} />`:l`<${ve} tile=${e.thumb} size=${t} />`:l`<${ve} size=${t} />`}function lt({item:e,box:t,size:s}){if(!e.preview||!t)return null;let[n,a]=e.size,o=[Math.max(0,t[0]),Math.max(0,t[1]),Math.min(a,t[2]),Math.min(n,t[3])],r=s/Math.max(o[2]-o[0],o[3]-o[1]),i={width:`${a*r}px`,height:`${n*r}px`,left:`${s/2-(o[0]+o[2])/2*r}px`,top:`${s/2-(o[1]+o[3])/2*r}px`};return l`<span class="crop" style=${{width:`${s}px`,height:`${s}px`}}>
    <img class=${r>3?"crisp":""} src=${O(e.preview)} alt="" style=${i} /></span>`}var fn=.8,je=e=>`images.html#${new URLSearchParams(e)}`;function hn({item:e}){return e.preview?l`<img class="photo-large ${it(e)}" src=${O(e.preview)} alt=${e.name}
    width=${e.size[1]} height=${e.size[0]} />`:l`<p class="photo-missing">The photo is not in this report.</p>`}function mn({item:e}){return e.correct===!0?l`<span class="badge good">✓ right prediction</span>`:e.correct===!1?l`<span class="badge bad">✗ wrong prediction</span>`:null}function $n({site:e,item:t,predictions:s,index:n}){let a=V(e,t),o=s.names[n],r=s.rank?.[n]??-1,i=o.some(p=>a.includes(p)),c=s.label_probability?.[n];return l`<table class="predictions">
    <caption class="offscreen">Predicted classes</caption>
    <thead class="offscreen"><tr><th scope="col">class</th><th scope="col">probability</th></tr></thead>
    <tbody>
      ${o.map((p,d)=>{let f=s.probabilities[n][d];return l`<tr class=${a.includes(p)?"is-label":""}>
          <th scope="row"><a href=${je({predicted:p})}>${p}</a>
            ${a.includes(p)&&l` <span class="badge">label</span>`}</th>
          <td><span class="probability"><span style=${{width:`${100*(f??0)}%`}}></span></span></td>
          <td class="number">${K(f)}</td>
        </tr>`})}
      ${!i&&r>=0&&l`<tr class="is-label">
        <th scope="row"><a href=${je({class:a[0]})}>${a.at(-1)}</a> <span class="badge">label</span>
          <span class="muted small"> rank ${r+1}</span></th>
        <td><span class="probability"><span style=${{width:`${100*(c??0)}%`}}></span></span></td>
        <td class="number">${K(c)}</td>
      </tr>`}
    </tbody>
  </table>`}function Zt({site:e,item:t,title:s,rows:n,distances:a,unit:o}){let r=V(e,t),i=n.map((c,p)=>[c,a[p]]).filter(([c])=>c>=0);return l`<div class="near-row">
    <h3>${s}</h3>
    <ol class="thumbs">
      ${i.map(([c,p])=>l`<${_n} key=${c} site=${e} row=${c} distance=${p}
        unit=${o} labels=${r} />`)}
    </ol>
  </div>`}function _n({site:e,row:t,distance:s,unit:n,labels:a}){let[o]=W(()=>Y(t),[t]),r=o?V(e,o):[],i=a.length>0&&r[0]===a[0];return l`<li>
    <a class="image-item small" href=${Re(t)}>
      <${we} item=${o} size=${88} />
      <span class="line">${r[0]??o?.name??""}${i&&l` <span class="same" title="same class">✓<span class="offscreen"> same class</span></span>`}</span>
      <span class="line muted" title=${n}>${C(s)}</span>
    </a>
  </li>`}function gn({site:e,item:t,neighbors:s,index:n}){let a=e.layers.filter(p=>s[p.slug]),o=H();if(a.length===0)return null;let r=a.find(({slug:p})=>p===o.near)??a.at(-1),i=s[r.slug],c=i.items[n].every(p=>p<0);return l`<section class="card" aria-labelledby="near-title">
    <div class="head"><h2 id="near-title">Nearest images</h2>
      ${a.length>1&&l`<label class="field">Features of
        <select value=${r.slug} onChange=${p=>S({near:p.target.value},{replace:!0})}>
          ${a.map(({slug:p,name:d})=>l`<option value=${p}>${d}</option>`)}
        </select></label>`}
    </div>
    ${c?l`<p class="note">The features of this image cannot be compared: they are not finite, or all zero.</p>`:l`<${Zt} site=${e} item=${t} title=${`in the features of ${r.name} (${i.unit})`}
          rows=${i.items[n]} distances=${i.distances[n]} unit=${i.unit} />`}
    ${i.pixel_items&&l`<${Zt} site=${e} item=${t} title="by pixels, for comparison (L2 distance)"
      rows=${i.pixel_items[n]} distances=${i.pixel_distances[n]} unit="L2 distance" />`}
  </section>`}function Qt({size:[e,t]},[s,n,a,o]){return(Math.min(t,a)-Math.max(0,s))*(Math.min(e,o)-Math.max(0,n))>fn*t*e}function bn({site:e,row:t,box:s}){let[n]=W(()=>Y(t),[t]);if(!n)return l`<span class="crop empty"></span>`;let a=V(e,n)[0]??n.name;return l`<span class="other-patch" title=${n.name}>${s&&n.preview?l`<${lt} item=${n} box=${s} size=${76} />`:l`<${we} item=${n} size=${76} />`}<span class="line muted small">${a}</span></span>`}function vn({site:e,row:t,file:s,commands:n}){if(e.live)return l`<section class="card" aria-labelledby="hint-title"><h2 id="hint-title">Which pixels matter</h2>
      <p><a href=${`live.html#${new URLSearchParams({row:t})}`}>Explain this image in the workbench</a></p></section>`;let[a,o,r]=n,i=[a.replace("PHOTO",()=>s),o];return l`<section class="card source" aria-labelledby="hint-title">
    <h2 id="hint-title">Which pixels matter</h2>
    <p class="note">This report has no maps of this image. ${s==="PHOTO"&&l`Save it as a file PHOTO. `}These
      commands compute maps and add them to the report:</p>
    <div class="lines">${i.map(c=>l`<code>${c}</code><${q} text=${c}>Copy<//>`)}</div>
    <p class="note">Or explain images in the workbench of the browser:</p>
    <div class="lines"><code>${r}</code><${q} text=${r}>Copy<//></div>
  </section>`}function yn({site:e,item:t,units:s,index:n}){let a=e.layers.filter(c=>s[c.slug]),o=H();if(a.length===0)return null;let r=a.find(({slug:c})=>c===o.layer)??a.at(-1),i=s[r.slug][n];return l`<section class="card" aria-labelledby="units-title">
    <div class="head"><h2 id="units-title">Units that it activates most</h2>
      ${a.length>1&&l`<label class="field">Layer
        <select value=${r.slug} onChange=${c=>S({layer:c.target.value},{replace:!0})}>
          ${a.map(({slug:c,name:p})=>l`<option value=${c}>${p} (${s[c][n].length})</option>`)}
        </select></label>`}
    </div>
    <p class="note">${i.length===0?`This image is among the top images of no unit of ${r.name}.`:`Units of ${r.name} that have this image among their top images, the highest ranks first. ${i.some(([,,,c])=>c&&!Qt(t,c))?"Left: what the unit sees of this image; right: its best patch in another one.":"Each picture is the unit's best patch in another image."}`}</p>
    <ol class="unit-cards">
      ${i.map(([c,p,d,f,m,u])=>l`<li key=${`${c}-${p}`}>
        <a href=${`${O(r.pages.layer)}#unit=${c}`}>
          <span class="pair">${f&&!Qt(t,f)&&l`<${lt} item=${t} box=${f} size=${76} />`}
            ${m!==null&&l`<${bn} key=${m} site=${e} row=${m} box=${u} />`}</span>
          <strong>unit ${c}</strong>
          <span class="muted small">rank ${p+1} · ${C(d)}</span>
        </a>
      </li>`)}
    </ol>
  </section>`}function wn({site:e,row:t,block:s,commands:n}){let a=`images/${String(Math.floor(t/s)).padStart(4,"0")}`,[o,r]=W(async()=>[await Y(t),await R(a),t],[t]),i=h=>{let _=t+h;_>=0&&_<e.count&&S({id:_})};if(J({ArrowLeft:()=>i(-1),ArrowRight:()=>i(1)}),N(()=>{(o||r)&&I(),o&&(document.title=`${o[0].name} – ${e.title}`)},[o,r]),r)return l`<${D} error=${r} />`;if(!o)return l`<p class="muted">Loading …</p>`;let[c,p,d]=o,f=d-p.start,m=V(e,c),u=e.layers.filter(h=>h.pages.map);return l`<div class="head">
      <h1>${c.name}</h1>
      <${mn} item=${c} />
      <span class="sub">image ${P(d+1)} of ${P(e.count)}</span>
      <span class="steps">
        <button type="button" disabled=${t===0} onClick=${()=>i(-1)}>← previous</button>
        <button type="button" disabled=${t===e.count-1} onClick=${()=>i(1)}>next →</button>
        <${q} text=${()=>location.href}>Copy link<//>
      </span>
    </div>
    <div class="stack">
      <div class="image-head">
        <div class="photo-frame"><${hn} item=${c} /></div>
        <section class="card" aria-labelledby="predictions-title">
          <h2 id="predictions-title">Label and predictions</h2>
          <dl class="facts">
            <div><dt>label</dt><dd>${m.length?l`<a href=${je({class:m[0]})}>${m.join(" · ")}</a>`:l`<span class="muted">none</span>`}</dd></div>
            ${c.predicted!==null&&l`<div><dt>predicted</dt><dd>
              <a href=${je({predicted:pe(e,c.predicted)})}>${pe(e,c.predicted)}</a>
            </dd></div>`}
            <div><dt>size</dt><dd class="plain">${c.size[1]} × ${c.size[0]}</dd></div>
          </dl>
          ${p.predictions?l`<${$n} site=${e} item=${c} predictions=${p.predictions} index=${f} />`:l`<p class="note">The run has no predictions.</p>`}
          ${u.length>0&&l`<p class="links">${u.map(h=>l`<a
            href=${`${O(h.pages.map)}#id=${d}`}>Place on the map of ${h.name}</a> `)}</p>`}
        </section>
      </div>
      ${p.maps?.[f]?l`<${Yt} name=${p.maps[f]} />`:l`<${vn} site=${e} row=${d} file=${p.files[f]} commands=${n} />`}
      <${gn} site=${e} item=${c} neighbors=${p.neighbors} index=${f} />
      <${yn} site=${e} item=${c} units=${p.units} index=${f} />
    </div>`}function xn({site:e,block:t,commands:s}){let{id:n}=H(),a=Number(n??0),o=Number.isInteger(a)&&a>=0&&a<e.count;return N(()=>{o||I()},[o]),o?l`<${wn} site=${e} row=${a} block=${t} commands=${s} />`:l`<p class="problem" role="alert">This report has images 0 to ${e.count-1}; the address asks for “${n}”.</p>`}async function es(){let e=document.getElementById("image");try{U(l`<${xn} site=${await ue()} block=${Number(e.dataset.block)}
      commands=${JSON.parse(e.dataset.commands)} />`,e)}catch(t){U(l`<${D} error=${t} />`,e),I()}}var xe=120,kn=new Intl.Collator(void 0,{numeric:!0}),Cn=[["","all"],["right","right"],["wrong","wrong"],["unknown","no label"]],ts=[["","order of the data set"],["confidence","most confident first"],["doubt","least confident first"],["name","name"],["class","class"]];function Sn(e){let[t,s]=A([]),[n,a]=A(null),o=Math.ceil(e.count/e.block);return N(()=>{let r=!0,i=[];return(async()=>{for(let p=0;p<o;p++){let d=await R(`items-${String(p).padStart(3,"0")}`);if(!r)return;for(let f=0;f<d.names.length;f++)i.push(nt(d,d.start+f));(p===0||p===o-1||p%16===0)&&s([...i])}})().catch(p=>r&&a(p)),()=>r=!1},[e]),[t,n]}function En(e,t){let s=(t.q??"").toLowerCase().split(/\s+/).filter(Boolean);return n=>{let a=V(e,n),o=pe(e,n.predicted);if(t.class&&!a.includes(t.class)||t.predicted&&o!==t.predicted||t.correct==="right"&&n.correct!==!0||t.correct==="wrong"&&n.correct!==!1||t.correct==="unknown"&&n.correct!==null)return!1;let r=`${n.name} ${a.join(" ")} ${o}`.toLowerCase();return s.every(i=>r.includes(i))}}function Mn(e,t,s){let n=(a,o=1)=>[...t].sort((r,i)=>{let[c,p]=[a(r),a(i)];return c===p?r.row-i.row:c===null||c===""?1:p===null||p===""?-1:o*(typeof c=="number"?c-p:kn.compare(c,p))});return s==="confidence"?n(a=>a.probability,-1):s==="doubt"?n(a=>a.probability):s==="name"?n(a=>a.name):s==="class"?n(a=>V(e,a)[0]??""):t}function Pn({site:e,item:t,isCurrent:s,onFocus:n}){let a=V(e,t)[0]??"",o=pe(e,t.predicted),r=t.correct===!1?"wrong":t.correct===!0?"right":"",i=r==="wrong"?`✗ ${o}`:o,c=[t.name,a&&`label ${a}`,o&&`predicted ${o} ${K(t.probability)}`,r].filter(Boolean).join(", ");return l`<li>
    <a class="image-item ${r}" href=${`image.html#id=${t.row}`} aria-label=${c} data-row=${t.row}
      tabindex=${s?0:-1} onFocus=${n}>
      <${we} item=${t} size=${112} />
      <span class="line name">${t.name}</span>
      ${a&&l`<span class="line">${a}</span>`}
      ${o&&l`<span class="verdict"><span class="line">${i}</span>
        <span class="share">${K(t.probability)}</span></span>`}
    </a>
  </li>`}function ss({name:e,title:t,options:s,value:n}){return l`<label class="field">${t}
    <select value=${n} onChange=${a=>S({[e]:a.target.value})}>
      ${s.map(([a,o])=>l`<option value=${a}>${o}</option>`)}
    </select>
  </label>`}function ns({name:e,title:t,names:s,value:n}){let a=o=>S({[e]:o.target.value},{replace:!0});return l`<label class="field">${t}
    <input type="search" list=${`${e}-names`} value=${n} placeholder="any" onInput=${a} />
    <datalist id=${`${e}-names`}>${s.map(o=>l`<option value=${o} />`)}</datalist>
  </label>`}function Nn(e,t,s,n,a){let o=t.children,r=Math.max(1,[...o].findIndex(d=>d.offsetTop>o[0].offsetTop)),i=r===1&&o[1]?.offsetTop===o[0]?.offsetTop?o.length:r,c={ArrowRight:1,ArrowLeft:-1,ArrowDown:i,ArrowUp:-i}[e.key],p=e.key==="Home"?0:e.key==="End"?n-1:c?s+c:null;p===null||p<0||p>=n||(e.preventDefault(),a(p))}function Tn({site:e}){let t=H(),[s,n]=Sn(e),[a,o]=A(xe),[r,i]=A(0),c=j(),p=j(),d=ne(()=>Mn(e,s.filter(En(e,t)),t.sort),[e,s,t]),f=s.some($=>$.predicted!==null),m=ne(()=>[...new Set(s.map($=>pe(e,$.predicted)))].filter(Boolean).sort(),[s]),u=ne(()=>[...new Set(s.flatMap($=>V(e,$).slice(0,1)))].sort(),[s]);J({"/":()=>p.current.focus()}),N(()=>{o(xe),i(0)},[t]),N(()=>{s.length&&I()},[s]);let h=j();N(()=>{if(!h.current)return;let $=new IntersectionObserver(w=>w.some(y=>y.isIntersecting)&&o(y=>y+xe),{rootMargin:"400px"});return $.observe(h.current),()=>$.disconnect()},[a<d.length,a]);let _=$=>{$>=a&&o($+xe),i($);let w=()=>c.current.children[$]?.firstElementChild?.focus();$<c.current.children.length?w():requestAnimationFrame(w)};if(n)return l`<${D} error=${n} />`;let b=s.length<e.count,v=["q","class","predicted","correct"].some($=>t[$]);return l`<div class="bar-of-controls" role="search">
      <label class="field wide">Search
        <input ref=${p} type="search" value=${t.q??""} placeholder="file, class or prediction  ( / )"
          onInput=${$=>S({q:$.target.value},{replace:!0})} />
      </label>
      ${u.length>0&&l`<${ns} name="class" title="Label" names=${u} value=${t.class??""} />`}
      ${f&&l`<${ns} name="predicted" title="Predicted" names=${m} value=${t.predicted??""} />
        <${ss} name="correct" title="Prediction is" options=${Cn} value=${t.correct??""} />`}
      <${ss} name="sort" title="Order" value=${t.sort??""}
        options=${f?ts:ts.filter(([$])=>$!=="confidence"&&$!=="doubt")} />
    </div>
    <p class="note" role="status">
      ${P(d.length)} ${v?`of ${P(s.length)}`:""} images${b?`; ${P(e.count-s.length)} are loading …`:""}
      ${v&&l` <a href="#" onClick=${$=>{$.preventDefault(),S({q:null,class:null,predicted:null,correct:null})}}>show all</a>`}
    </p>
    ${d.length===0&&!b&&l`<p class="empty">No image matches.</p>`}
    <ol class="image-grid" ref=${c} onKeyDown=${$=>Nn($,c.current,r,d.length,_)}>
      ${d.slice(0,a).map(($,w)=>l`<${Pn} key=${$.row} site=${e} item=${$}
        isCurrent=${w===r} onFocus=${()=>i(w)} />`)}
    </ol>
    ${a<d.length&&l`<p ref=${h}><button type="button" onClick=${()=>o(a+xe)}>
      Show more of ${P(d.length)}</button></p>`}`}async function os(){let e=document.getElementById("images");try{let t=await ue();U(l`<${Tn} site=${t} />`,e),t.count===0&&I()}catch(t){U(l`<${D} error=${t} />`,e),I()}}var An=e=>Uint8Array.from(atob(e),t=>t.charCodeAt(0)),ct=e=>e.replace(/[.*+?^${}()|[\]\\]/g,"\\$&"),Ln=e=>/[*?]/.test(e),On=(e,t)=>[e.classes[t],e.outputs[e.class_outputs?.[t]]].filter(s=>typeof s=="string");function In(e,t){let s=t.trim();return e.classes.some(n=>n.toLowerCase()===s.toLowerCase())?[s]:s.split(",").map(n=>n.trim()).filter(Boolean)}function Rn(e,t,s){let n=p=>t.filter(d=>On(e,d).some(p)),a=s.toLowerCase(),o=n(p=>p.toLowerCase()===a);if(o.length)return[o,"name"];if(Ln(s)){let p=[...s].map(f=>({"*":".*","?":"."})[f]??ct(f)),d=new RegExp(`^${p.join("")}$`,"isu");return[n(f=>d.test(f)),"pattern"]}let r=s.match(/^(\d+)-(\d+)$/);if(r){let[,p,d]=r.map(Number);return[t.filter(f=>{let m=e.class_outputs?.[f]??-1;return m>=p&&m<=d}),"outputs"]}if(/^\d+$/.test(s))return[[],"number"];let i=new RegExp(`(^|[^\\p{L}\\p{N}])${ct(s)}($|[^\\p{L}\\p{N}])`,"iu"),c=n(p=>i.test(p));return c.length?[c,"word"]:[n(p=>p.toLowerCase().includes(a)),"part"]}function as(e,t,s){let n={labels:new Set,parts:[],unknown:[],patterns:[]};for(let a of In(e,s??"")){let[o,r]=Rn(e,t,a);for(let i of o)n.labels.add(i);r==="part"&&o.length&&n.parts.push(a),!o.length&&r!=="number"&&n.unknown.push(a),r==="pattern"||r==="outputs"?n.patterns.push(a):n.patterns.push(...o.map(i=>e.classes[i].replace(/[*?[]/g,"[$&]")))}return n}function rs(e,t,s){let n=s.slice(s.lastIndexOf(",")+1).trim(),a=s.slice(0,s.lastIndexOf(",")+1),o=t.map(c=>e.classes[c]),r=new RegExp(`(^|[^\\p{L}\\p{N}])${ct(n)}`,"iu"),i=c=>n&&r.test(c)?0:1;return o.sort((c,p)=>i(c)-i(p)||(c<p?-1:1)),o.map(c=>a?`${a} ${c}`:c)}var He=class{constructor(t,s){this.count=s,this.least=t.least,this.images=new Map(t.classes.map((r,i)=>[r,t.images[i]]));let n=An(t.lifts),a=new Uint16Array(n.buffer,0,n.length/2),o=r=>r?2**((r-1)/t.steps-t.doublings):0;this.rows=new Map(t.classes.map((r,i)=>[r,()=>Float64Array.from(a.subarray(i*s,(i+1)*s),o)]))}of(t){let s=new Float64Array(this.count),n=new Float64Array(this.count).fill(-1),a=new Array(this.count).fill(null),o=0;for(let r of t){let[i,c]=[this.rows.get(r)(),this.images.get(r)];o+=c,i.forEach((p,d)=>{s[d]+=c*p,p>n[d]&&([n[d],a[d]]=[p,r])})}return{lift:s.map(r=>r/o),best:a,images:o,least:this.least}}};async function is(e){let t=null;try{t=await e.json()}catch{}if(!e.ok)throw new Error(t?.error??`the server answered ${e.status}`);return t}var ls=async e=>is(await fetch(`${ge}api/${e}`)),cs=async(e,t={})=>is(await fetch(`${ge}api/${e}`,{method:"POST",headers:{"Content-Type":"application/json"},body:JSON.stringify(t)}));async function us(e,t,s,n){let a=await cs("jobs",{model:e,task:t,arguments:s}),o=new EventSource(`${ge}api/jobs/${a.id}/events`);o.addEventListener("progress",i=>n(JSON.parse(i.data)));let r=!1;return o.addEventListener("end",i=>{r=!0,n(JSON.parse(i.data))}),o.onerror=()=>{o.close(),r||n({...a,status:"failed",error:"the connection to the server was lost"})},n(a),a.id}var ut=e=>cs(`jobs/${e}/cancel`);var Dn=100,Bn=3,ps=["done","failed","cancelled"],Z=new Map,ds=0,jn=(e,t,s)=>new Promise((n,a)=>{us(e,"guided_patches",t,r=>ps.includes(r.status)?n(r):s(r)).catch(a)});async function Hn(e,t){let{models:s}=await ls("state"),n=[];for(let a=0;a<s.length;a++){let o=(ds+a)%s.length,r=await jn(o,e,t);if(r.status!=="done"||!r.result.refused)return ds=o,r;n.push(r.result.refused)}return{status:"failed",error:[...new Set(n)].join("; ")}}function Un(e,t){Z.delete(e),Z.set(e,t),Z.size>Dn&&Z.delete(Z.keys().next().value)}function fs({layer:e,unit:t,record:s,site:n,isWanted:a}){let o=`${t} ${e.name}`,r=e.guided&&s&&s.guided!==null?{...e.guided,row:s.guided}:null,[i,c]=A({}),[p,d]=A(0),f=!!n.live&&a&&!r;N(()=>{if(!f||Z.has(o))return;let _=!0,b=null,v=()=>b?.status==="queued"&&b.id&&ut(b.id).catch(()=>{}),$=w=>{b=w,w.status==="done"&&Un(o,w),_?c({key:o,job:w}):v()};return Hn({layer:e.name,unit:t},$).then($,w=>$({status:"failed",error:w.message})),()=>{_=!1,v()}},[o,f,p]);let m=()=>{Z.delete(o),c({}),d(p+1)};if(r||!f)return{place:r,job:null,restart:m};let u=Z.get(o)??(i.key===o?i.job:{status:"queued",progress:{}});return{place:u.status==="done"?{...u.result,row:0,atlas:`api/jobs/${u.id}/files/guided.png`,onError:()=>Z.has(o)&&p<Bn&&m()}:null,job:u,restart:m}}function hs({guided:{place:e,job:t,restart:s},site:n,layer:a,shell:o}){if(e)return null;if(!n.live){let r=a.draws_guided?o:a.serve;return l`<div class="source guided-status">
      <p class="note">This report has no guided gradients of this unit. This line ${a.draws_guided?"draws them":"opens the run in an app that computes them"}:</p>
      <div class="lines"><code>${r}</code><${q} text=${r}>Copy<//></div></div>`}if(!t)return null;if(!ps.includes(t.status)){let{description:r,done:i,total:c}=t.progress??{},p=t.status==="running"?r||"starting":"waiting for the model";return l`<div class="guided-status" role="status">
      ${c?l`<progress max=${c} value=${i} aria-label="Progress"></progress>`:l`<progress aria-label="Progress"></progress>`}
      <p class="bar-of-controls"><span class="small muted">Guided gradients: ${p}</span>
        ${t.id&&l`<button type="button" class="quiet" onClick=${()=>ut(t.id).catch(()=>{})}>Cancel</button>`}</p></div>`}return l`<div class="guided-status">
    ${t.status==="failed"?l`<p class="problem" role="alert">No guided gradients: ${t.error}</p>`:l`<p class="note" role="status">Cancelled.</p>`}
    <button type="button" onClick=${s}>${t.status==="failed"?"Try again":"Compute them"}</button></div>`}function ms({guided:{place:e}}){return e?l`<p class="note">Guided gradients are sharp, but depend little on the weights: they show which pixels the unit can see,
    not why it fires. ${(e.notes??[]).join(" ")}</p>`:null}var re=420,ke=130,Q=ke-22,Fn=6;function $s({edges:e,counts:t}){let s=t.reduce((d,f)=>d+f,0),n=Math.log10(Math.max(...t)+1),a=re/t.length,o=Math.ceil(e.length/Fn),r=t.map((d,f)=>{let m=d?Math.max(1.5,(Q-6)*Math.log10(d+1)/n):0,h=e[f]===0&&e[f+1]===0?"exactly 0":`${C(e[f])} to ${C(e[f+1])}`,_=e[f+1]>0;return l`<rect key=${f} class=${_?"fires":""} x=${f*a+.5} y=${Q-m}
      width=${Math.max(.5,a-1)} height=${m}><title>${h}: ${P(d)} (${(100*d/s).toPrecision(2)} %)</title></rect>`}),i=e.map((d,f)=>[d,f]).filter(([,d])=>d%o===0),c=t.reduce((d,f,m)=>d+(e[m+1]>0?f:0),0),p=`${P(s)} values from ${C(e[0])} to ${C(e.at(-1))}, ${(100*c/s).toPrecision(3)} % above 0`;return l`<svg class="histogram" viewBox="0 0 ${re} ${ke}" role="img" aria-label=${p}>
      ${r}
      <line x1="0" x2=${re} y1=${Q+.5} y2=${Q+.5} />
      ${i.map(([d,f])=>l`<text key=${f} x=${f*a} y=${ke-6} text-anchor=${f===0?"start":f===e.length-1?"end":"middle"}>${C(d,2)}</text>`)}
    </svg>
    <p class="note">${p} (strong colour). Two bins per doubling; heights are logarithmic.</p>`}var Ue=5;function _s({low:e,high:t,counts:s,strata:n}){let a=s.reduce((u,h)=>u+h,0),o=Math.log10(Math.max(...s)+1),r=re/s.length,i=u=>e+(t-e)*u/s.length,c=s.map((u,h)=>{if(!u)return null;let _=Math.max(1.5,(Q-18)*Math.log10(u+1)/o);return l`<rect key=${h} class=${i(h+1)>0?"fires":""} x=${h*r+.5} y=${Q-_}
      width=${r-1} height=${_}><title>${C(i(h))} to ${C(i(h+1))}: ${P(u)} (${(100*u/a).toPrecision(2)} %)</title></rect>`}),p=e===t?[0]:[...Array(Ue+1).keys()],d=u=>t>e?(u-e)/(t-e)*re:r/2,f=n.map(({share:u,examples:h})=>({share:u,at:d(h[Math.floor(h.length/2)].value)})),m=`The highest values of ${P(a)} images, from ${C(e)} to ${C(t)}`;return l`<svg class="histogram" viewBox="0 0 ${re} ${ke}" role="img" aria-label=${m}>
      ${c}
      ${f.map(({share:u,at:h})=>l`<line key=${u} class="mark" x1=${h} x2=${h} y1="4" y2=${Q}><title>${dt(u)}</title></line>`)}
      <line x1="0" x2=${re} y1=${Q+.5} y2=${Q+.5} />
      ${p.map(u=>l`<text key=${u} x=${u*re/Ue} y=${ke-6}
        text-anchor=${u===0?"start":u===Ue?"end":"middle"}>${C(e+(t-e)*u/Ue,2)}</text>`)}
    </svg>`}function dt(e){return e===1?"lowest":e===.5?"median":`top ${Number((100*e).toPrecision(3))} %`}var Wn=64,fe=e=>`${(100*e).toFixed(3)}%`;function gs([e,t],s){let[n,a,o,r]=s??[0,0,t,e],i=Math.max(o-n,r-a),c=(n+o-i)/2,p=(a+r-i)/2;return{width:t/i,height:e/i,left:-c/i,top:-p/i}}var qn=([e,t],[s,n,a,o])=>({left:s/t,top:n/e,width:(a-s)/t,height:(o-n)/e}),pt=e=>Object.fromEntries(Object.entries(e).map(([t,s])=>[t,fe(s)]));function zn(e){let t=Math.max(e[2]-e[0],e[3]-e[1]),s=fe((1-(e[2]-e[0])/t)/2);return`inset(${fe((1-(e[3]-e[1])/t)/2)} ${s})`}function Kn({patch:e,mode:t,guided:s,alt:n}){let{image:a,box:o}=e;if(t==="guided"&&s){let c={width:fe(s.columns),height:fe(s.rows),left:fe(-s.rank),top:fe(-s.row)};return l`<img src=${O(s.atlas)} alt=${`guided gradient of ${n}`} style=${c} onError=${s.onError} />`}if(!a?.preview&&a?.thumb)return l`<${ve} tile=${a.thumb} size=${Wn} label=${n} className="centered" />`;if(!a?.preview)return l`<span class="no-photo">${a?"photo not available":"not in this report"}</span>`;let r=Math.max(...a.size)<=64?"crisp":"";if(t==="whole"||!o)return l`<span class="photo" style=${pt(gs(a.size,null))}>
      <img class=${r} src=${O(a.preview)} alt=${n} />
      ${o&&l`<span class="box" style=${pt(qn(a.size,o))}></span>`}</span>`;let i=o[2]-o[0]<40?"crisp":r;return l`<span class="window" style=${{clipPath:zn(o)}}>
    <img class=${i} src=${O(a.preview)} alt=${n} style=${pt(gs(a.size,o))} /></span>`}function ft({patch:e,rank:t,mode:s,site:n,guided:a,isMeant:o,isLoading:r}){let{image:i}=e,c=i?.label===null||i?.label===void 0?"":n.classes[i.label],p=i?.name??"",d=c||p,f=i&&n.has.images?Re(i.row):null,m=`top ${t+1}: ${d}, activation ${C(e.value)}`,u=l`<span class="frame">${!r&&l`<${Kn} ...${{patch:e,mode:s,guided:a,alt:m}} />`}</span>`;return l`<figure class=${o?"":"faded"}>
    ${f?l`<a href=${f} title=${p}>${u}</a>`:l`<span title=${p}>${u}</span>`}
    <figcaption><b>${C(e.value)}</b> <span title=${d}>${d}</span>
      ${i?.correct===!1&&l`<span class="badge bad" title=${`predicted: ${n.outputs[i.predicted]??i.predicted}`}>wrong</span>`}
    </figcaption>
  </figure>`}var Vn=200,Gn=200,bs={crop:"Patch",whole:"Whole image",guided:"Guided gradient"},Jn={whole:"Whole photos with the patch marked (w)",guided:"Pixels that drive the unit (g)"},Xn=e=>/^[\w.\-/]+$/.test(e)?e:`'${e.replaceAll("'","'\\''")}'`,ys=(e,t)=>`${e.shell} ${Xn(e.name)} --unit ${t}`,Yn=(e,t)=>String(Math.floor(e/t)).padStart(3,"0"),ee=new Map,ht=(e,t,s="units")=>`${e}/${s}/${t}`,ws=(e,t)=>ee.has(ht(e,t));async function Fe(e,t,s,n="units"){let a=ht(e,t,n),o=ee.get(a)??await Zn(e,t,s,n);return ee.has(a)||ee.set(a,o),ee.size>Vn&&ee.delete(ee.keys().next().value),ee.get(a)}async function Zn(e,t,s,n){let o=(await R(`layer/${e}/${n}-${Yn(t,s.block)}`))[t%s.block],r=await Promise.all(o.patches.map(async i=>({...i,image:i.row===null?null:await Y(i.row)})));return{...o,patches:r}}function mt(e,t,s){return Fe(e,t,s).then(({patches:n})=>{for(let{image:a}of n)a?.preview&&(new Image().src=O(a.preview))},()=>{})}async function Qn(e){let t=[...e.querySelectorAll("img")].filter(o=>!o.complete),s=o=>new Promise(r=>["load","error"].forEach(i=>o.addEventListener(i,r))),n=new Promise(o=>setTimeout(o,Gn));await Promise.race([Promise.all(t.map(s)),n]);let a=new Promise(o=>requestAnimationFrame(()=>setTimeout(o)));await Promise.race([a,n])}function xs({unit:e,units:t,data:s,layer:n,site:a,slug:o,meant:r,onShown:i}){let c=H(),[p,d]=W(()=>Fe(o,e,s),[o,e]),f=ee.get(ht(o,e))??p,m=j(null),u=t.indexOf(e),h=x=>{let M=u<0?t[0]:t[(u+x+t.length)%t.length];M!==void 0&&S({unit:M})},_=f?.unit===e,b=c.view in bs?c.view:"crop",v=fs({layer:n,unit:e,record:_?f:null,site:a,isWanted:_&&b==="guided"&&f.patches.length>0}),$=x=>S({view:x==="crop"?null:x},{replace:!0}),w=x=>$(ae().view===x?"crop":x);J({ArrowLeft:()=>h(-1),ArrowRight:()=>h(1),w:()=>w("whole"),g:()=>w("guided"),j:()=>m.current?.focus(),Escape:()=>S({unit:null})});let[y,g]=A(null),k=j(null);return N(()=>{if(d&&I(),!_)return;let x=!0;return Qn(k.current).then(()=>x&&g({unit:e,record:f})),()=>x=!1},[f,d]),N(()=>{if(!y)return;I(),i();let x=t[t.indexOf(y.unit)+1];x!==void 0&&Fe(o,x,s).catch(()=>{})},[y]),d?l`<${D} error=${d} />`:_?l`
    <div class="unit-head">
      <p class="path"><a href="../index.html">${a.model}</a> › ${n.name} › </p>
      <h2 class="unit-name">unit ${e}</h2>
      <${to} ...${{unit:e,data:s}} />
      <div class="unit-keys">
        <button type="button" onClick=${()=>h(-1)} title="Previous unit (←)" aria-label="Previous unit">←</button>
        <button type="button" onClick=${()=>h(1)} title="Next unit (→)" aria-label="Next unit">→</button>
        <input type="number" id="jump" ref=${m} min="0" max=${s.count-1} placeholder="unit" aria-label="Go to unit (j)"
          onKeyDown=${x=>x.key==="Enter"&&x.target.value!==""&&S({unit:Math.min(s.count-1,Math.max(0,Math.trunc(x.target.valueAsNumber)))})} />
        <${q} text=${()=>location.href}>Copy link<//>
        <button type="button" onClick=${()=>S({unit:null})} title="All units (Esc)" aria-label="Close">✕</button>
      </div>
    </div>
    <${ks} ...${{unit:e,data:s,record:f,layer:n}} />
    <div class=${n.other?"unit-body with-other":"unit-body"}>
      <div class="stack">
        <section class="card" aria-labelledby="patches-title" ref=${k}>
          <div class="card-head">
            <h3 id="patches-title">Top patches</h3>
            ${f.patches.length>0&&l`<div class="segments" role="group" aria-label="View">
              ${Object.entries(bs).map(([x,M])=>l`<button type="button" key=${x} aria-pressed=${String(b===x)}
                onClick=${()=>$(x)} title=${Jn[x]}>${M}</button>`)}
            </div>`}
          </div>
          <${Cs} ...${{unit:e,record:f,layer:n,mode:b,site:a,meant:r,guided:v}} />
        </section>
        ${y&&n.has_patches&&l`<${no} ...${{record:y.record,mode:b,site:a}} />`}
      </div>
      ${n.other&&l`<${co} ...${{unit:e,layer:n,site:a,slug:o,mode:b,meant:r}} />`}
      <div class="stack">${y&&l`<${eo} ...${{record:y.record,layer:n,site:a,state:c}} />`}</div>
    </div>
    ${y&&l`<${io} ...${{record:y.record,layer:n,slug:o}} />
      <${uo} ...${{...y,data:s,layer:n,site:a,slug:o}} />`}`:l`<div class="unit-head"><h2 class="unit-name">unit ${e}</h2></div>`}function eo({record:e,layer:t,site:s,state:n}){return l`
    ${e.histogram&&l`<section class="card" aria-labelledby="values-title">
      <h3 id="values-title">Values at all positions of all images</h3>
      <${$s} ...${e.histogram} />
    </section>`}
    <${ao} ...${{record:e,layer:t,site:s,state:n}} />
    ${e.matters&&l`<${ro} ...${e.matters} />`}`}function to({unit:e,data:t}){let s=t.duplicates[e];return l`
    ${t.dead.includes(e)&&l`<span class="badge bad" title="above zero at no position of any image">dead</span>`}
    ${t.silent.includes(e)&&l`<span class="badge" title="fires in less than 1 % of the images">silent</span>`}
    ${s!==void 0&&l`<a class="badge" href=${Ie({unit:s})}
      title="nearly the same top patches">near-duplicate of ${s}</a>`}`}function ks({unit:e,data:t,record:s,layer:n}){let a=r=>t.columns[r]?.[e],o=[["maximum",C(a("max")),so(s,t)],["mean",C(a("mean"))],["fires in",K(a("fires")),"of the images"],["active at",K(a("active")),"of the positions"],["selectivity",C(a("selectivity"),2),"0 to 1"],["prominence",C(a("prominence"),2)]].filter(([,r])=>r!=="–");return l`<dl class="facts unit-facts">
    ${o.map(([r,i,c])=>l`<div key=${r}><dt>${r}</dt>
      <dd>${i} ${c&&l`<small>${c}</small>`}</dd></div>`)}
    ${n.field&&l`<div><dt>receptive field</dt><dd>${n.field.replace(/ pixels of the model's input$/,"")} <small>input pixels</small></dd></div>`}
  </dl>`}function so({rank:e,tied:t},s){return`rank ${P(e)} of ${P(s.count)}${t>1?`, shared by ${P(t)}`:""}`}function Cs({unit:e,record:t,layer:s,mode:n,site:a,meant:o,guided:r}){if(!s.has_patches)return l`<p class="note">The run has no patches of this layer.</p>`;if(!t.patches.length)return l`<p class="note">No image activates this unit, so it has no patches.</p>`;let i=t.patches[0].value,c=t.patches.map(({image:d})=>o.has(d?.label)),p=c.filter(Boolean).length;return l`${o.size>0&&l`<p class="note meant-note">${p} of ${t.patches.length} patches are of
    ${o.size===1?` “${a.classes[[...o][0]]}”`:" the classes in Find"}.</p>`}
  ${n==="guided"&&l`<${hs} ...${{guided:r,site:a,layer:s,shell:ys(s,e)}} />`}
  <ol class=${`patches is-${n}${n==="guided"&&a.live&&!r.place?" waits":""}`}>
    ${t.patches.map((d,f)=>l`<li key=${f}>
      <${ft} ...${{patch:d,rank:f,mode:n,site:a,highest:i,guided:r?.place?{...r.place,rank:f}:null,isMeant:!p||c[f]}} />
    </li>`)}
  </ol>
  ${n==="whole"&&l`<p class="note">The box is the part of the photo that the unit sees and the model was given.</p>`}
  ${n==="guided"&&l`<${ms} guided=${r} />`}`}function no({record:e,mode:t,site:s}){let{peaks:n}=e;return n?l`<section class="card" aria-labelledby="peaks-title">
    <h3 id="peaks-title">Highest value of every image</h3>
    <${_s} ...${n} />
    <p class="note">Images in bins of equal width; heights are logarithmic, lines mark the examples.</p>
    <div class="strata">
      ${n.strata.map(a=>l`<${oo} key=${a.share} ...${{...a,mode:t,site:s,total:n.counts.reduce((o,r)=>o+r,0)}} />`)}
    </div>
  </section>`:e.patches.length>0&&l`<section class="card"><h3>Highest value of every image</h3>
      <p class="note">This run has no highest values of all images.</p></section>`}function oo({share:e,examples:t,mode:s,site:n,total:a}){let[o]=W(()=>Promise.all(t.map(({row:c})=>c===null?null:Y(c))),[t]),r=t.map(({rank:c})=>c),i=`${P(r[0])}${r.length>1?`–${P(r.at(-1))}`:""}`;return l`<div>
    <h4>${dt(e)} <small>rank ${i} of ${P(a)}</small></h4>
    <ol class="examples">
      ${t.map((c,p)=>l`<li key=${p}><${ft} ...${{patch:{...c,image:o?.[p]??null},rank:c.rank-1,mode:s==="guided"?"crop":s,site:n,guided:null,isMeant:!0,isLoading:!o}} /></li>`)}
    </ol>
  </div>`}function ao({record:e,layer:t,site:s,state:n}){if(!e.classes.length)return l`<section class="card"><h3>Classes</h3><p class="note">
      ${s.classes.length?"No class makes this unit fire.":"The images have no labels, so there are no classes."}</p></section>`;let a=Math.max(...e.classes.map(o=>o.lift));return l`<section class="card" aria-labelledby="classes-title">
    <h3 id="classes-title">Classes it fires for</h3>
    <ol class="bars">
      ${e.classes.map(o=>{let r=s.classes[o.class]??String(o.class),i=n.class===r;return l`<li key=${o.class}>
          <button type="button" aria-pressed=${String(i)} onClick=${()=>S({class:i?null:r})}>
            <span class="bar-name">${r}</span>
            <span class="bar-line"><svg aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none"><rect width=${100*o.lift/a} height="6" /></svg></span>
            <span class="bar-value">${C(o.lift,2)} ×</span>
            <span class="bar-count">${o.count} of ${o.of}</span>
          </button></li>`})}
    </ol>
    <p class="note">Lift: ${t.meaning}. A click filters patches and units.</p>
  </section>`}function ro({images:e,set_to:t,classes:s}){let n=Math.max(...s.map(({drop:a})=>a));return l`<section class="card" aria-labelledby="matters-title">
    <h3 id="matters-title">Classes it matters for</h3>
    ${s.length===0&&l`<p class="note">No score drops without it.</p>`}
    <ol class="bars">
      ${s.map(({name:a,drop:o})=>l`<li key=${a} class="bar-row">
        <span class="bar-name">${a}</span>
        <span class="bar-line"><svg aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none"><rect width=${100*o/n} height="6" /></svg></span>
        <span class="bar-value">${C(o,2)}</span>
      </li>`)}
    </ol>
    <p class="note">Drop of the score when the unit is set to ${t}, ${e===1?"on one image":`mean over ${P(e)} images`}.</p>
  </section>`}function io({record:e,layer:t,slug:s}){if(!e.similar.length&&!e.similar_weights.length)return null;let n=e.patches.length;return l`<section class="card" aria-labelledby="similar-title">
    <h3 id="similar-title">Similar units</h3>
    <div class="similar-rows">
      <${vs} title="by common top images" ...${{layer:t,slug:s}}
        entries=${e.similar.map(({unit:a,shared:o})=>[a,`${o} of ${n}`])} />
      <${vs} title=${`by incoming weights (cosine, ${t.weights})`} ...${{layer:t,slug:s}}
        entries=${e.similar_weights.map(({unit:a,cosine:o})=>[a,o.toFixed(2)])} />
    </div>
  </section>`}function vs({title:e,entries:t,layer:s,slug:n}){return t.length?l`<div><h4>${e}</h4><ul class="similar">
    ${t.map(([a,o])=>l`<li key=${a}><a href=${Ie({unit:a})}>
      <${lo} ...${{unit:a,layer:s,slug:n}} /><b>${a}</b> <span>${o}</span></a></li>`)}
  </ul></div>`:null}function lo({unit:e,layer:t,slug:s}){let n=document.querySelector(`#sheet [data-unit="${e}"] .tile`),a=e%512,o=n?.className??(t.sheets.length?`tile sheet-${s}-${Math.floor(e/512)} x${a%32} y${Math.floor(a/32)}`:"tile missing");return l`<span class=${o}></span>`}function co({unit:e,layer:t,site:s,slug:n,mode:a,meant:o}){let{other:r}=t,[i,c]=W(async()=>{if(e>=r.count)return null;let p=await R(`layer/${n}/other`);return{data:p,record:await Fe(n,e,p,"other")}},[e]);return c?l`<${D} error=${c} />`:i===void 0?null:l`<section class="card" aria-labelledby="other-title">
    <div class="card-head"><h3 id="other-title">The same unit in ${r.run} (${r.model})</h3></div>
    ${i===null?l`<p class="note">This run has no such unit.</p>`:l`
      <${Cs} ...${{record:{...i.record,guided:null},layer:{has_patches:!0},mode:a==="guided"?"crop":a,site:s,meant:o}} />
      <${ks} ...${{unit:e,data:i.data,record:i.record,layer:{field:""}}} />`}
  </section>`}function uo({unit:e,record:t,data:s,layer:n,site:a,slug:o}){let r=ys(n,e),i=`convviz.open_run(${JSON.stringify(n.run)}).draw("patches", ${JSON.stringify(n.name)}, units=${e})`,c=t.patches.map((u,h)=>[h+1,u.value,u.image?.name,u.image?.label===null?"":a.classes[u.image?.label],...u.position??["",""],...u.box??["","","",""]]),p=["rank","activation","image","class","y","x","x0","y0","x1","y1"],d=`${o}-unit-${e}`,f=Object.fromEntries(Object.entries(s.columns).map(([u,h])=>[u,h[e]])),m=()=>JSON.stringify({layer:n.name,...t,numbers:f,provenance:n.provenance},null,1);return l`<section class="card source" aria-labelledby="source-title">
    <div class="card-head"><h3 id="source-title">Get it</h3>
      <div class="bar-of-controls">
        <button type="button" onClick=${()=>ot(`${d}.csv`,qt(p,c),"text/csv")}>CSV</button>
        <button type="button" onClick=${()=>ot(`${d}.json`,m(),"application/json")}>JSON</button>
      </div></div>
    <div class="lines">
      <code>${r}</code><${q} text=${r}>Copy<//>
      <code>${i}</code><${q} text=${i}>Copy<//>
    </div>
    <dl class="facts small">
      ${Object.entries(n.provenance).map(([u,h])=>l`<div key=${u}><dt>${u}</dt>
        <dd class="plain">${u==="weights"?l`<code>${h.slice(0,16)}</code>`:h}</dd></div>`)}
    </dl>
  </section>`}var po={all:"all units",alive:"units that fire",dead:"dead units",silent:"silent units",twins:"near-duplicates"},fo=["class","sort","show","view"],Ss=4,ho=100,We=(e,t)=>e.sort??(t?"lift":"unit");function mo(e,t,s){let n=new Set(e.dead),a=new Set(e.silent),o=new Set(Object.entries(e.duplicates).flat().map(Number)),r={all:()=>!0,alive:u=>!n.has(u),dead:u=>n.has(u),silent:u=>a.has(u),twins:u=>o.has(u)}[t.show]??(()=>!0),i=(t.class??"").trim(),c=u=>!i||String(u)===i||s&&s.lift[u]>=s.least,p=[...Array(e.count).keys()].filter(u=>r(u)&&c(u)),d=We(t,s),f=d==="lift"?s?.lift:e.columns[d];if(!f)return p;let m=(u,h,_)=>{let[b,v]=[u?.[h]??-1/0,u?.[_]??-1/0];return b===v?0:v-b};return p.sort((u,h)=>m(f,u,h)||m(e.columns.mean,u,h)||u-h)}var $t=class{constructor(t,s,n){this.list=t,this.data=s,this.site=n,this.dead=new Set(s.dead),this.tiles=new Map;for(let a of t.children)this.tiles.set(Number(a.firstElementChild.dataset.unit),a);this.key=`unit  ${[...this.tiles.keys()].join()}`}show(t,s,n,a){let o=`${s} ${n?a:""} ${t.join()}`;if(o!==this.key){this.key=o;for(let r of t){let[,,i,c]=this.tiles.get(r).firstElementChild.children;i.textContent=this.textOf(r,s,n);let p=n&&n.lift[r]>=n.least?this.site.classes[n.best[r]]:"";this.setName(this.tiles.get(r).firstElementChild,c,p)}this.list.replaceChildren(...t.map(r=>this.tiles.get(r)))}}textOf(t,s,n){return s==="lift"?`${C(n.lift[t],2)} ×`:s!=="unit"?C(this.data.columns[s]?.[t]??this.data.columns.max[t]):this.dead.has(t)?"dead":C(this.data.columns.max[t])}setName(t,s,n){if(!n)return s?.remove();let a=s??t.appendChild(document.createElement("small"));a.textContent=n,a.title=n}mark(t){this.list.querySelector("[aria-current]")?.removeAttribute("aria-current"),this.tiles.get(t)?.firstElementChild.setAttribute("aria-current","true")}revealMarked(){let t=this.list.querySelector("[aria-current]");if(!t)return;let[s,n]=[t.getBoundingClientRect(),this.list.getBoundingClientRect()];(s.top<n.top||s.bottom>n.bottom)&&(this.list.scrollTop+=(s.top+s.bottom-n.top-n.bottom)/2)}};function $o(e,t){let s=[...t].map(a=>e.classes[a]),n=s.length-Ss;return n>1?`${s.slice(0,Ss).join(", ")} and ${n} more`:s.join(", ")}function _o({site:e,layer:t,meant:s,match:n}){let a=l`Several: <code>*terrier, *hound</code>${e.class_outputs?.some(i=>i!==null)&&l`, or outputs of the model: <code>151-268</code>`}.`;if(!s.labels.size&&!s.unknown.length)return null;let o=i=>i.map(c=>`“${c}”`).join(", "),r=`convviz.open_run(${JSON.stringify(t.run)}).units(${JSON.stringify(t.name)}, ${JSON.stringify(s.patterns)}, ${JSON.stringify(t.lifts_from)})`;return l`<p class="note class-note">
    ${s.unknown.length>0&&l`No class with images matches ${o(s.unknown)}. `}
    ${s.parts.length>0&&l`No class has the word ${o(s.parts)}; parts of names match. `}
    ${s.labels.size>0&&l`${s.labels.size>1?`${P(s.labels.size)} classes`:"Class"}: <b>${$o(e,s.labels)}</b>${n&&` (${P(n.images)} ${n.images===1?"image":"images"})`}. `}
    ${(s.unknown.length>0||s.parts.length>0)&&a}
    ${s.labels.size>0&&l` <${q} text=${r}>Copy Python<//>`}</p>`}function go({data:e,layer:t,sorts:s,site:n,units:a,counts:o,meant:r,match:i}){let c=H(),p=j(null);J({"/":()=>p.current?.focus()});let d=Object.entries(po).filter(([_])=>_==="all"||o[_]),f=i?"lift":"unit",m=Object.entries(i?{lift:"lift of the class",...s}:s),u=c.class??"",h=_=>S({class:_,...u?{}:{sort:null}},{replace:!0});return l`
    <label class="field">Sort by
      <select id="sort" value=${We(c,i)}
        onChange=${_=>S({sort:_.target.value===f?null:_.target.value})}>
        ${m.map(([_,b])=>l`<option key=${_} value=${_}>${b}</option>`)}
      </select>
    </label>
    ${d.length>1&&l`<label class="field">Show
      <select id="show" value=${c.show??"all"}
        onChange=${_=>S({show:_.target.value==="all"?null:_.target.value})}>
        ${d.map(([_,b])=>l`<option key=${_} value=${_}>${b}</option>`)}
      </select>
    </label>`}
    <label class="field grow">Find
      <input id="find" type="search" ref=${p} value=${u} list="class-names"
        placeholder=${o.classes.length?"classes or number":"number"} onInput=${_=>h(_.target.value)} />
    </label>
    <datalist id="class-names">
      ${rs(n,o.classes,u).map(_=>l`<option key=${_} value=${_}></option>`)}
    </datalist>
    <span class="muted small" role="status">${a.length===e.count?"":`${a.length} of ${e.count} units`}</span>
    <${_o} ...${{site:n,layer:t,meant:r,match:i}} />`}function bo(e,t,s,n,a){let o=t==="lift"?"lift":t==="unit"?s.max??"maximum":s[t]??"maximum",r=n?", and the class with the highest lift":"",i=t==="lift"?` Lift: ${a.meaning.split(";")[0]}.`:"";e.textContent=`Below: number of the unit, ${o}${r}.${i}`}function vo(e){let t=fo.filter(n=>e[n]).map(n=>[n,e[n]]),s=t.length?`#${new URLSearchParams(t)}`:"";for(let n of document.querySelectorAll(".layers a"))n.href=n.getAttribute("href").split("#")[0]+s}async function Es(){let e=document.getElementById("layer"),t=document.getElementById("controls"),s=document.getElementById("unit"),{slug:n}=e.dataset,a,o,r;try{[a,o,r]=await Promise.all([ue(),R(`layer/${n}/units`),R(`layer/${n}/layer`)])}catch(v){return U(l`<${D} error=${v} />`,t),I()}let i=new $t(document.getElementById("sheet"),o,a),c={alive:o.dead.length?o.count-o.dead.length:0,dead:o.dead.length,silent:o.silent.length,twins:Object.keys(o.duplicates).length,classes:o.with_images},p=JSON.parse(t.dataset.sorts),d=document.getElementById("sheet-numbers"),f,m,u=null,h=()=>R(`layer/${n}/classes`).then(v=>f=new He(v,o.count),v=>m=v),_=()=>i.revealMarked(),b=()=>{let v=ae(),$=/^\d+$/.test(v.unit??"")&&Number(v.unit)<o.count?Number(v.unit):null;if($!==null&&$!==u&&!ws(n,$)){u=$;let k=new Promise(x=>setTimeout(x,ho));return void Promise.race([mt(n,$,o),k]).then(b)}u=null;let w=as(a,c.classes,v.class);if(w.labels.size&&!f&&!m)return void h().then(b);let y=w.labels.size&&f?f.of(w.labels):null,g=mo(o,v,y);i.show(g,We(v,y),y,v.class),bo(d,We(v,y),p,y,r),vo(v),e.classList.toggle("has-unit",$!==null),s.hidden=$===null,i.mark($),U(m?l`<${D} error=${m} />`:l`<${go} ...${{data:o,layer:r,sorts:p,site:a,units:g,counts:c,meant:w,match:y}} />`,t),U($===null?null:l`<${xs} ...${{unit:$,units:g,data:o,layer:r,site:a,slug:n,meant:w.labels,onShown:_}} />`,s),$===null&&I()};i.list.addEventListener("click",v=>{let $=v.target.closest("a[data-unit]");!$||v.ctrlKey||v.metaKey||v.shiftKey||(v.preventDefault(),S({unit:$.dataset.unit}),matchMedia("(max-width: 66rem)").matches&&scrollTo(0,0))}),i.list.addEventListener("pointerover",v=>{let $=v.target.closest("a[data-unit]");$&&mt(n,Number($.dataset.unit),o)}),be(b),b(),a.count<=a.block&&Y(0).catch(()=>{})}var yo=()=>{De(),I()},wo={benchmark:yo,dataset:Kt,image:es,images:os,layer:Es},Ms=wo[document.body.dataset.page];Ms?Ms():I();})();
